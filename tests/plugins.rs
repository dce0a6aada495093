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
            ("vision", "convnext", "menagerie-vision"),
            ("vision", "dinov2", "menagerie-vision"),
            ("vision", "fused", "menagerie-vision"),
            ("vision", "siglip", "menagerie-vision"),
            ("projector", "c_abstractor", "menagerie-projector"),
            ("projector", "identity", "menagerie-projector"),
            ("projector", "ldp_v2", "menagerie-projector"),
            ("projector", "linear", "menagerie-projector"),
            ("projector", "mlp", "menagerie-projector"),
            ("projector", "pixel_shuffle", "menagerie-projector"),
            ("projector", "pool", "menagerie-projector"),
            ("projector", "qformer", "menagerie-projector"),
            ("projector", "resampler", "menagerie-projector"),
            ("llm", "gemma2", "menagerie-llm"),
            ("llm", "llama", "menagerie-llm"),
            ("llm", "mistral", "menagerie-llm"),
            ("llm", "phi", "menagerie-llm"),
            ("llm", "phi3", "menagerie-llm"),
            ("llm", "qwen2", "menagerie-llm"),
            ("llm", "qwen3", "menagerie-llm"),
        ]
    );
}

#[test]
fn every_plugin_keeps_its_contract() {
    menagerie::testing::check_all();
}
