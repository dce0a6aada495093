//! The default plugins: linked, listed, and keeping their contracts.

use menagerie::plugin;

#[test]
fn the_default_plugins_are_linked_in() {
    let all = plugin::list().expect("names are unique");
    let listed: Vec<_> = all
        .iter()
        .map(|info| (info.component.name(), info.name, info.crate_name))
        .collect();
    assert_eq!(
        listed,
        [
            ("vision", "clip", "menagerie-vision"),
            ("vision", "siglip", "menagerie-vision"),
            ("projector", "linear", "menagerie-projector"),
            ("projector", "mlp", "menagerie-projector"),
            ("llm", "llama", "menagerie-llm"),
            ("llm", "qwen2", "menagerie-llm"),
        ]
    );
}

#[test]
fn every_plugin_keeps_its_contract() {
    menagerie::testing::check_all();
}
