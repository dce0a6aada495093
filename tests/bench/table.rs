//! Models side by side.

use crate::{bytes, done, exact, world};

#[test]
fn runs_are_compared_in_three_forms() {
    let world = world();
    done(exact(&world, "a", &[]));
    done(exact(&world, "b", &["--limit", "5", "--blind"]));
    let args = "bench table a b/score.json --html t.html --csv t.csv --markdown t.md";
    let said = done(world.menagerie(&args.split(' ').collect::<Vec<_>>()));
    let text = String::from_utf8(bytes(&world, "t.md")).expect("text");
    assert_eq!(said.stdout, text);
    assert!(
        text.starts_with("## exact\n\n| figure | run (a) | run (b/score.json) * |\n"),
        "{text}"
    );
    assert!(
        text.contains("not comparable with the first: questions.count was 10 and is 5"),
        "{text}"
    );
    let csv = String::from_utf8(bytes(&world, "t.csv")).expect("text");
    assert_eq!(csv.lines().count(), 3);
    let page = String::from_utf8(bytes(&world, "t.html")).expect("text");
    assert!(page.contains("<div class=\"bar of c1\">"), "{page}");

    let said = world.menagerie(&["bench", "table", "a", "run"]);
    assert!(
        said.stderr.contains("run: it is no benchmark's run"),
        "{said:?}"
    );
    assert_eq!(said.code, Some(3));
}
