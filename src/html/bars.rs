//! Histograms as SVG.

use std::fmt::Write;

use super::escape;
use super::plot::{Frame, ticks};

/// Bars beside each other, each of several parts on top of each other.
pub(crate) struct Histogram<'a> {
    pub bars: &'a [Bar],
    /// Values that are marked by a line from top to bottom.
    pub marks: &'a [f64],
    pub x_label: &'a str,
    pub y_label: &'a str,
}

/// A bar of a histogram.
pub(crate) struct Bar {
    pub from: f64,
    pub to: f64,
    /// The CSS class of each part and how high it is, the lowest first.
    pub parts: Vec<(&'static str, f64)>,
    /// What it says when it is pointed at.
    pub title: String,
}

impl Bar {
    fn height(&self) -> f64 {
        self.parts.iter().map(|(_, height)| height).sum()
    }
}

impl Histogram<'_> {
    /// The histogram as SVG. Both axes begin at 0.
    pub(crate) fn svg(&self) -> String {
        let x_max = self.bars.iter().map(|bar| bar.to).fold(1.0, f64::max);
        let highest = self.bars.iter().map(Bar::height).fold(0.0, f64::max);
        let frame = Frame {
            x_max,
            y_ticks: ticks(if highest > 0.0 { highest } else { 1.0 }),
        };
        let mut svg = frame.begin(self.x_label, self.y_label);
        for bar in self.bars {
            let (left, right) = (frame.x(bar.from), frame.x(bar.to));
            write!(svg, "<g><title>{}</title>", escape(&bar.title)).expect(TEXT);
            let mut below = 0.0;
            for (class, height) in &bar.parts {
                let (bottom, top) = (frame.y(below), frame.y(below + height));
                below += height;
                write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                    left + 0.5,
                    (right - left - 1.0).max(0.5),
                    bottom - top
                )
                .expect(TEXT);
            }
            svg.push_str("</g>");
        }
        for x in self.marks {
            frame.draw_mark(&mut svg, x.min(x_max), "");
        }
        svg.push_str("</svg>");
        svg
    }
}

const TEXT: &str = "a string takes any text";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_on_each_other() {
        let bar = |from, parts: &[(&'static str, f64)]| Bar {
            from,
            to: from + 10.0,
            parts: parts.to_vec(),
            title: "<10".to_owned(),
        };
        let histogram = Histogram {
            bars: &[bar(0.0, &[("c0", 1.0), ("c1", 3.0)]), bar(10.0, &[])],
            marks: &[10.0],
            x_label: "words",
            y_label: "answers",
        };
        let svg = histogram.svg();
        // 260 - 36 is the axis, and 206 the height of what is 4.
        assert!(
            svg.contains("y=\"172.5\" width=\"245.0\" height=\"51.5\""),
            "{svg}"
        );
        assert!(
            svg.contains("y=\"18.0\" width=\"245.0\" height=\"154.5\""),
            "{svg}"
        );
        assert!(svg.contains("&lt;10"), "{svg}");
        assert!(svg.contains("class=\"mark\" x1=\"302.0\""), "{svg}");
    }

    #[test]
    fn nothing_is_a_frame() {
        let empty = Histogram {
            bars: &[],
            marks: &[],
            x_label: "words",
            y_label: "answers",
        };
        assert!(empty.svg().ends_with("</svg>"));
    }
}
