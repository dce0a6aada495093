//! Two crates that register one name. In a file of its own: the second registration holds for the
//! whole test program.

use menagerie::eval::{BenchmarkPlugin, Exact};
use menagerie::{Component, plugin};

menagerie::register_projector!(menagerie_projector::MlpConfig);

#[test]
fn a_name_registered_twice_is_an_error_that_names_both_crates() {
    let message = "the projector plugin `mlp` is registered by two crates, `menagerie` and \
                   `menagerie-projector`; link only one of them, or rename one plugin";
    assert_eq!(plugin::list().unwrap_err().to_string(), message);
    // Which of the two is found must not depend on the order of linking.
    let found = plugin::info(Component::Projector, "mlp");
    assert_eq!(found.unwrap_err().to_string(), message);
    assert!(plugin::info(Component::Vision, "clip").is_ok());
}

menagerie::inventory::submit! {
    BenchmarkPlugin::new::<Exact>("acme-benchmarks", "1.0.0")
}

#[test]
fn two_benchmarks_of_one_name_are_an_error_too() {
    let message = "the benchmark `exact` is registered by two crates, `acme-benchmarks` and \
                   `menagerie`; link only one of them, or rename one benchmark";
    assert_eq!(plugin::benchmarks().unwrap_err().to_string(), message);
    let found = plugin::benchmark("exact");
    assert_eq!(found.unwrap_err().to_string(), message);
}
