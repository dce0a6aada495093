//! Line plots as SVG.

use std::fmt::Write;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 12.0;
/// More points than pixels show nothing more.
const MAX_POINTS: usize = 600;

/// One line of a plot.
pub(super) struct Curve<'a> {
    /// Its CSS class.
    pub class: &'static str,
    /// `(x, y)`, x ascending.
    pub points: &'a [(f64, f64)],
}

/// A plot whose axes begin at 0; the horizontal one ends at the last point.
pub(super) fn plot(curves: &[Curve<'_>], x_label: &str, y_label: &str) -> String {
    let all = || {
        curves
            .iter()
            .flat_map(|curve| curve.points)
            .filter(|point| point.1.is_finite())
    };
    let x_max = all().map(|point| point.0).fold(1.0, f64::max);
    let x_ticks: Vec<f64> = ticks(x_max)
        .into_iter()
        .filter(|tick| *tick <= x_max)
        .collect();
    let y_ticks = ticks(all().map(|point| point.1).fold(1e-3, f64::max));
    let y_max = y_ticks[y_ticks.len() - 1];
    let x = |value: f64| LEFT + value / x_max * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / y_max * (HEIGHT - BOTTOM - TOP);

    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{y_label} by {x_label}\">"
    );
    for tick in &y_ticks {
        let (at, end) = (y(*tick), WIDTH - RIGHT);
        push(
            &mut svg,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                label(*tick)
            ),
        );
    }
    for tick in &x_ticks {
        push(
            &mut svg,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x(*tick),
                HEIGHT - BOTTOM + 16.0,
                label(*tick)
            ),
        );
    }
    push(
        &mut svg,
        format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>",
            f64::midpoint(LEFT, WIDTH),
            HEIGHT - 4.0
        ),
    );
    for curve in curves {
        let stride = curve.points.len().div_ceil(MAX_POINTS).max(1);
        let finite = curve
            .points
            .iter()
            .step_by(stride)
            .filter(|point| point.1.is_finite());
        let points: String = finite
            .map(|&(px, py)| format!("{:.1},{:.1} ", x(px), y(py)))
            .collect();
        push(
            &mut svg,
            format_args!(
                "<polyline class=\"{}\" points=\"{}\"/>",
                curve.class,
                points.trim_end()
            ),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn push(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes any text");
}

/// Round numbers from 0 to at least `max`, five or so.
fn ticks(max: f64) -> Vec<f64> {
    let rough = max / 4.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * magnitude);
    let step = steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * magnitude);
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|last| *last < max) {
        ticks.push(ticks.len() as f64 * step);
    }
    ticks
}

fn label(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_largest_value() {
        assert_eq!(ticks(3.4), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(1205.0), [0.0, 500.0, 1000.0, 1500.0]);
        assert_eq!(label(ticks(0.07)[1]), "0.02");
    }

    #[test]
    fn a_point_that_is_not_a_number_leaves_the_plot_whole() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 0.5)];
        let svg = plot(
            &[Curve {
                class: "raw",
                points: &points,
            }],
            "step",
            "loss",
        );
        assert!(!svg.contains("NaN"), "{svg}");
    }
}
