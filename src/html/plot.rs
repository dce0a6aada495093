//! Line plots as SVG, and the axes that other plots share with them.

use std::fmt::Write;

use super::escape;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 18.0;
const RIGHT: f64 = 12.0;
/// Of more points than these, each bucket's lowest and highest are drawn: a curve keeps its spikes.
const MAX_POINTS: usize = 2000;
/// Two points each.
const BUCKETS: usize = 500;

/// One line of a plot.
pub(crate) struct Curve<'a> {
    /// Its CSS class.
    pub class: &'static str,
    /// `(x, y)`, x ascending.
    pub points: &'a [(f64, f64)],
    /// Whether each point is marked.
    pub dots: bool,
}

/// What is drawn.
pub(crate) struct Plot<'a> {
    pub curves: &'a [Curve<'a>],
    /// Where something begins, and its name: a line from top to bottom.
    pub marks: &'a [(f64, &'a str)],
    /// A point to be seen, and what is written beside it.
    pub best: Option<((f64, f64), &'a str)>,
    /// Names written beside points.
    pub labels: &'a [((f64, f64), String)],
    /// Where the vertical axis begins.
    pub y_from: f64,
    pub x_label: &'a str,
    pub y_label: &'a str,
}

impl Plot<'_> {
    /// The plot as SVG. The horizontal axis begins at 0 and ends at the last point, the vertical one
    /// ends at the largest value, but for a few that are far above all others: they are drawn at
    /// the edge.
    pub(crate) fn svg(&self) -> String {
        let xs = self.curves.iter().flat_map(|curve| curve.points);
        let x_max = xs.map(|point| point.0).fold(1.0, f64::max);
        let above = self.highest() - self.y_from;
        let frame = Frame {
            x_max,
            y_ticks: ticks(if above > 0.0 { above } else { 1.0 })
                .into_iter()
                .map(|tick| self.y_from + tick)
                .collect(),
        };
        let mut svg = frame.begin(self.x_label, self.y_label);
        for (x, name) in self.marks {
            frame.draw_mark(&mut svg, *x, name);
        }
        for curve in self.curves {
            frame.draw_curve(&mut svg, curve);
        }
        for (place, text) in self.labels {
            frame.draw_label(&mut svg, *place, text);
        }
        if let Some(((x, y), text)) = self.best {
            frame.draw_best(&mut svg, x, y, text);
        }
        svg.push_str("</svg>");
        svg
    }

    /// The top of what is shown.
    fn highest(&self) -> f64 {
        let mut values: Vec<f64> = self
            .curves
            .iter()
            .flat_map(|curve| curve.points)
            .map(|point| point.1)
            .filter(|value| value.is_finite())
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let Some(highest) = values.last() else {
            return 1.0;
        };
        // The first steps of a loss, or a spike of the gradient, would flatten all that follows.
        let usual = values[(values.len() - 1) * 98 / 100];
        let top = if *highest > 3.0 * usual && usual > 0.0 {
            1.5 * usual
        } else {
            *highest
        };
        if top > 0.0 { top } else { 1.0 }
    }
}

/// Axes.
pub(super) struct Frame {
    /// Where the horizontal axis, which begins at 0, ends.
    pub(super) x_max: f64,
    /// From the lowest to the highest shown, at least two.
    pub(super) y_ticks: Vec<f64>,
}

impl Frame {
    /// The beginning of an SVG, with the axes in it.
    pub(super) fn begin(&self, x_label: &str, y_label: &str) -> String {
        let label = format!("{} by {}", escape(y_label), escape(x_label));
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">");
        self.draw(&mut svg, x_label);
        svg
    }

    /// A line from top to bottom with a name beside it, which may be empty.
    pub(super) fn draw_mark(&self, svg: &mut String, x: f64, name: &str) {
        let at = self.x(x);
        push(
            svg,
            format_args!(
                "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"4\" y2=\"{:.1}\"/>\
                 <text x=\"{:.1}\" y=\"13\">{}</text>",
                HEIGHT - BOTTOM,
                at + 4.0,
                escape(name)
            ),
        );
    }

    pub(super) fn x(&self, value: f64) -> f64 {
        LEFT + value / self.x_max * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let (from, to) = (self.y_ticks[0], self.y_ticks[self.y_ticks.len() - 1]);
        let share = ((value - from) / (to - from)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }

    fn draw(&self, svg: &mut String, x_label: &str) {
        for tick in &self.y_ticks {
            let (at, end) = (self.y(*tick), WIDTH - RIGHT);
            push(
                svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                     <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    LEFT - 6.0,
                    at + 4.0,
                    label(*tick)
                ),
            );
        }
        let shown = ticks(self.x_max);
        for tick in shown.iter().filter(|tick| **tick <= self.x_max) {
            push(
                svg,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                    self.x(*tick),
                    HEIGHT - BOTTOM + 16.0,
                    label(*tick)
                ),
            );
        }
        push(
            svg,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                f64::midpoint(LEFT, WIDTH - RIGHT),
                HEIGHT - 4.0,
                escape(x_label)
            ),
        );
    }

    fn draw_curve(&self, svg: &mut String, curve: &Curve<'_>) {
        let points = thinned(curve.points);
        let place = |&(x, y): &(f64, f64)| format!("{:.1},{:.1} ", self.x(x), self.y(y));
        let line: String = points.iter().map(place).collect();
        let class = curve.class;
        push(
            svg,
            format_args!(
                "<polyline class=\"{class}\" points=\"{}\"/>",
                line.trim_end()
            ),
        );
        if curve.dots {
            for &(x, y) in &points {
                push(
                    svg,
                    format_args!(
                        "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                        self.x(x),
                        self.y(y)
                    ),
                );
            }
        }
    }

    fn draw_label(&self, svg: &mut String, (x, y): (f64, f64), text: &str) {
        let (x, y) = (self.x(x), self.y(y));
        push(
            svg,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                x - 6.0,
                y - 5.0,
                escape(text)
            ),
        );
    }

    fn draw_best(&self, svg: &mut String, x: f64, y: f64, text: &str) {
        let (x, y) = (self.x(x), self.y(y));
        // Beside the point, on the side that has room; below it where it lies at the top.
        let (anchor, shift) = if x > f64::midpoint(LEFT, WIDTH) {
            ("end", -8.0)
        } else {
            ("start", 8.0)
        };
        push(
            svg,
            format_args!(
                "<circle class=\"best\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>\
                 <text class=\"best\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                x + shift,
                y + 18.0,
                escape(text)
            ),
        );
    }
}

/// The finite points, or of very many the lowest and highest of each bucket, in their order.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points
        .iter()
        .copied()
        .filter(|point| point.1.is_finite())
        .collect();
    if finite.len() <= MAX_POINTS {
        return finite;
    }
    let buckets = finite.chunks(finite.len().div_ceil(BUCKETS));
    buckets
        .flat_map(|bucket| {
            let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
            let lowest = bucket.iter().min_by(by_value);
            let highest = bucket.iter().max_by(by_value);
            let mut pair: Vec<(f64, f64)> = lowest.into_iter().chain(highest).copied().collect();
            pair.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            pair
        })
        .collect()
}

fn push(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes any text");
}

/// Round numbers from 0 to at least `max`, five or so.
pub(super) fn ticks(max: f64) -> Vec<f64> {
    let rough = max / 4.0;
    let exponent = rough.log10().floor();
    // The nearest number to the decimal one, which products of powers of ten are not.
    let decimal = |factor: f64| format!("{factor}e{exponent}").parse().unwrap_or(factor);
    let factors = [1.0, 2.0, 2.5, 5.0].into_iter();
    let factor = factors.map(|factor| (factor, decimal(factor)));
    let mut large = factor.filter(|(_, step)| *step >= rough);
    let factor = large.next().map_or(10.0, |(factor, _)| factor);
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|last| *last < max) {
        ticks.push(decimal(ticks.len() as f64 * factor));
    }
    ticks
}

/// A tick's number: at most four decimals, or as a power of ten where those would lose it.
fn label(value: f64) -> String {
    if value >= 10_000.0 {
        return format!("{} k", trimmed(value / 1000.0));
    }
    if value != 0.0 && value < 1e-3 {
        return format!("{value:e}").replace("e-", "e−");
    }
    trimmed(value)
}

fn trimmed(value: f64) -> String {
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
        assert_eq!(label(ticks(2e-5)[1]), "5e−6");
        assert_eq!(label(ticks(60_000.0)[1]), "20 k");
    }

    fn svg(points: &[(f64, f64)]) -> String {
        let curve = Curve {
            class: "raw",
            points,
            dots: false,
        };
        let plot = Plot {
            curves: &[curve],
            marks: &[(0.0, "<align>")],
            best: None,
            labels: &[],
            y_from: 0.0,
            x_label: "step",
            y_label: "loss",
        };
        plot.svg()
    }

    #[test]
    fn a_point_that_is_not_a_number_leaves_the_plot_whole() {
        let svg = svg(&[
            (0.0, 1.0),
            (1.0, f64::NAN),
            (2.0, f64::INFINITY),
            (3.0, 0.5),
        ]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("&lt;align&gt;"), "{svg}");
    }

    #[test]
    fn of_very_many_points_few_are_drawn_and_a_spike_stays() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|x| (f64::from(x), 1.0)).collect();
        points[54_321].1 = 1.5;
        let kept = thinned(&points);
        assert!(kept.len() <= 2 * BUCKETS, "{}", kept.len());
        assert!(kept.contains(&(54_321.0, 1.5)));
        assert!(kept.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn nothing_at_all_is_drawn_too() {
        assert!(svg(&[]).ends_with("</svg>"));
        assert!(svg(&[(0.0, 0.0)]).contains("<polyline"));
    }
}
