use std::fs;

use serde_json::json;

use super::*;

/// A stage of 5,000 steps with four scores on the way, and one that has begun.
fn told(run: &Path) {
    let mut metrics = String::new();
    let mut timings = String::new();
    for (stage, step) in (0..5000).map(|step| ("align", step)).chain([("tune", 0)]) {
        let loss = 4.0 / f64::from(step + 1).sqrt();
        let line = json!({
            "stage": stage, "step": step, "loss": loss, "grad_norm": 2.0 * loss, "lr": 1e-3,
            "supervised_tokens": 30, "tokens": 1000, "samples": 4,
        });
        metrics.push_str(&format!("{line}\n"));
        let line = json!({ "stage": stage, "step": step, "seconds": 0.5, "wait_seconds": 0.1 });
        timings.push_str(&format!("{line}\n"));
    }
    fs::write(run.join("metrics.jsonl"), metrics).expect("written");
    fs::write(run.join("timings.jsonl"), timings).expect("written");
    fs::create_dir(run.join("answers")).expect("made");
    let mut scores = String::new();
    // Two questions; the second is answered right once, in the middle.
    let taken = [
        (1000, "align-1000", "no", "red"),
        (2000, "align-2000", "no", "red"),
        (3000, "align-3000", "yes", "blue <b>"),
        (5000, "align", "no", "blue <b>"),
    ];
    for (step, file, first, second) in taken {
        let answers = [("yes", first), ("blue <b>", second)].map(|(truth, answer)| {
            let correct = truth == answer;
            let line = json!({ "id": "q", "question": "q?", "truth": truth, "answer": answer, "correct": correct });
            (format!("{line}\n"), f64::from(u8::from(correct)))
        });
        let score = f64::midpoint(answers[0].1, answers[1].1);
        let line = json!({ "stage": "align", "step": step, "questions": 2, "score": score });
        scores.push_str(&format!("{line}\n"));
        let text = answers.map(|(line, _)| line).concat();
        fs::write(run.join(format!("answers/{file}.jsonl")), text).expect("written");
    }
    fs::write(run.join("scores.jsonl"), scores).expect("written");
}

#[test]
fn a_report_shows_how_the_answers_became_better() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recipe = Recipe::load(root.join("recipes/quickstart.toml")).expect("the recipe");
    let table = recipe.eval.as_ref().expect("it is scored");
    let questions = Dataset::open(&table.data.source()).expect("the data");
    let run = tempfile::tempdir().expect("a folder");
    told(run.path());
    let made = Made {
        parameters: (2000, 1000),
        timeline: Timeline::new([("align", 5000), ("tune", 10)]),
    };
    let page = html(run.path(), &recipe, &made, Some(&questions)).expect("a page");

    let wide = page.lines().filter(|line| line.contains("<polyline"));
    assert!(
        wide.clone().count() >= 4,
        "loss, rate, norm, throughput, score"
    );
    assert!(
        wide.map(str::len).all(|length| length < 80_000),
        "of 5,000 points few are drawn"
    );
    // Steps 3000 has both right; the end has one of them wrong again.
    let best =
        "align, step 3\u{202f}000 <span class=\"tag\">best</span></td><td class=\"number\">100.0 %";
    assert!(page.contains(best));
    assert!(page.contains(">best, 100.0</text>"));
    assert!(page.contains("waiting for data</dt><dd>20.0 %</dd>"));
    // An answer that stays has one row, where it began.
    let first = "<dt>align, step 1\u{202f}000</dt><dd class=\"wrong\">✗ no</dd>\
                 <dt>align, step 3\u{202f}000</dt><dd class=\"right\">✓ yes</dd>\
                 <dt>after align</dt><dd class=\"wrong\">✗ no</dd><dt>truth</dt>";
    assert!(page.contains(first));
    let second =
        "<dt>align, step 3\u{202f}000</dt><dd class=\"right\">✓ blue &lt;b&gt;</dd><dt>truth</dt>";
    assert!(page.contains(second));
}

#[test]
fn a_run_that_told_nothing_yet_has_a_report_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recipe = Recipe::load(root.join("recipes/quickstart.toml")).expect("the recipe");
    let run = tempfile::tempdir().expect("a folder");
    let made = Made {
        parameters: (2000, 1000),
        timeline: Timeline::new([("align", 5)]),
    };
    let page = html(run.path(), &recipe, &made, None).expect("a page");
    assert!(page.contains("0 of 5") && !page.contains("NaN"), "{page}");
}
