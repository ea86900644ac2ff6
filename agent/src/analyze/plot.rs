//! `analyze plot`: a drawing in SVG, a row for each piece of work, a bar for its time.

use super::kernel_log::INITRAMFS;
use super::{shown, shown_stage};
use crate::trace::{Kind, TraceEntry};
use std::fmt::Write as _;

/// Sizes, in pixels.
const WIDTH: u64 = 1000;
const ROW: u64 = 18;
const TOP: u64 = 40;
const LEFT: u64 = 10;
/// Room for a label right of the last bar.
const LABELS: u64 = 900;
/// A bar that took no time is still seen.
const THINNEST: u64 = 2;
/// Lines of the scale are this far apart, or a little more.
const SCALE_LINES: u64 = 10;
/// Longer labels are cut; what they say is in the title, which is shown under the pointer.
const LONGEST_LABEL: usize = 110;

/// The colours of bars by what they stand for.
const COLOURS: [(Kind, &str); 7] = [
    (Kind::Kernel, "#7a6fb0"),
    (Kind::Stage, "#b8c4ce"),
    (Kind::Source, "#4f9da6"),
    (Kind::Boothook, "#d19a4a"),
    (Kind::PartHandler, "#c27ba0"),
    (Kind::Handler, "#5b8fd6"),
    (Kind::Script, "#6aa84f"),
];
const FAILED: &str = "#cc3333";

/// The drawing.
pub(super) fn drawing(entries: &[TraceEntry]) -> String {
    let first = entries.iter().map(|entry| entry.start).min().unwrap_or_default();
    let last = entries.iter().map(TraceEntry::end).max().unwrap_or_default();
    let scale = Scale { first, length: last.saturating_sub(first).max(1) };
    let rows = u64::try_from(entries.len()).unwrap_or_default();
    let (width, height) = (LEFT + WIDTH + LABELS, TOP + (rows + 1) * ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"15\">{} from {} s to {} s after the kernel's start</text>\n",
        escaped(&stages(entries)),
        decimal(first),
        decimal(last)
    );
    scale.lines(&mut svg, height);
    for (row, entry) in (0..).zip(entries) {
        bar(&mut svg, &scale, row, entry);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The stages in their order.
fn stages(entries: &[TraceEntry]) -> String {
    let mut names: Vec<&str> = entries.iter().map(stage).collect();
    names.dedup();
    names.join(", ")
}

fn stage(entry: &TraceEntry) -> &str {
    if entry.kind == Kind::Kernel { INITRAMFS } else { shown_stage(&entry.stage) }
}

fn bar(svg: &mut String, scale: &Scale, row: u64, entry: &TraceEntry) {
    let y = TOP + row * ROW;
    let x = scale.x(entry.start);
    let width = scale.x(entry.end()).saturating_sub(x).max(THINNEST);
    let colour = match COLOURS.iter().find(|(kind, _)| *kind == entry.kind) {
        _ if entry.result == "failed" => FAILED,
        Some((_, colour)) => colour,
        None => "#000000",
    };
    let took = if entry.kind == Kind::Kernel {
        format!("at {} s", decimal(entry.start))
    } else {
        format!("{} s", decimal(entry.took))
    };
    let full = format!("{}: {} ({took})", stage(entry), shown(entry));
    let mut label: String = full.chars().take(LONGEST_LABEL).collect();
    if label.len() < full.len() {
        label.push('…');
    }
    let colon = if entry.reason.is_empty() { "" } else { ": " };
    let title = format!("{full} {}{colon}{}", entry.result, entry.reason);
    // Writing to a String cannot fail.
    writeln!(
        svg,
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\"/>\
         <text x=\"{}\" y=\"{}\">{}</text></g>",
        escaped(&title),
        ROW - 4,
        x + width + 4,
        y + ROW - 7,
        escaped(&label)
    )
    .unwrap_or_default();
}

/// Times -> places.
struct Scale {
    first: u64,
    length: u64,
}

impl Scale {
    fn x(&self, time: u64) -> u64 {
        let after = u128::from(time.saturating_sub(self.first)) * u128::from(WIDTH) / u128::from(self.length);
        LEFT + u64::try_from(after).unwrap_or(WIDTH).min(WIDTH)
    }

    /// Draws lines at round times.
    fn lines(&self, svg: &mut String, height: u64) {
        let steps = (0..13).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
        let mut enough = steps.filter(|step| self.length / step <= SCALE_LINES);
        let Some(step) = enough.next() else { return };
        let mut next = self.first.checked_next_multiple_of(step);
        while let Some(time) = next.filter(|time| time.saturating_sub(self.first) <= self.length) {
            let x = self.x(time);
            writeln!(
                svg,
                "<line x1=\"{x}\" y1=\"30\" x2=\"{x}\" y2=\"{height}\" stroke=\"#dddddd\"/>\
                 <text x=\"{x}\" y=\"28\" fill=\"#666666\">{} s</text>",
                decimal(time)
            )
            .unwrap_or_default();
            next = time.checked_add(step);
        }
    }
}

/// Seconds with as many digits as they have.
fn decimal(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// A text as XML holds it. Characters that XML cannot hold become a mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::recorded;
    use super::*;

    fn line_of_kernel(start: u64, said: &str) -> TraceEntry {
        let entry = recorded().remove(0);
        TraceEntry { kind: Kind::Kernel, name: said.into(), start, took: 0, ..entry }
    }

    fn number(node: roxmltree::Node<'_, '_>, name: &str) -> u64 {
        node.attribute(name).unwrap().parse().unwrap()
    }

    #[test]
    fn each_entry_has_its_bar_in_the_order_of_time() {
        let kernel = line_of_kernel(1500, "rescue: no \u{1b}[2J <volume> & \"co\"");
        let entries = [vec![kernel], recorded()].concat();
        let svg = drawing(&entries);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let groups: Vec<_> = document.descendants().filter(|node| node.has_tag_name("g")).collect();
        assert_eq!(groups.len(), entries.len());
        for (group, entry) in groups.iter().zip(&entries) {
            let text = |name: &str| {
                group.children().find(|node| node.has_tag_name(name)).unwrap().text().unwrap().to_owned()
            };
            let name = shown(entry).replace('\u{1b}', "\u{fffd}");
            assert!(text("title").contains(&name), "{name}");
            assert!(text("text").contains(&name), "{name}");
            let rect = group.children().find(|node| node.has_tag_name("rect")).unwrap();
            let (x, width) = (number(rect, "x"), number(rect, "width"));
            assert!(width >= THINNEST && x >= LEFT, "{name}");
            assert_eq!(rect.attribute("fill") == Some(FAILED), entry.result == "failed", "{name}");
        }
        let y = |group: &roxmltree::Node<'_, '_>| {
            number(group.children().find(|node| node.has_tag_name("rect")).unwrap(), "y")
        };
        assert!(groups.windows(2).all(|pair| y(&pair[0]) + ROW == y(&pair[1])));
        assert!(svg.contains("initramfs, init-local, init-network, modules-final from 1.500 s to 70.270 s"));
    }

    #[test]
    fn hundreds_of_entries_have_a_row_each_and_long_names_are_cut() {
        let long = "x".repeat(5000);
        let entries: Vec<_> = (0..500).map(|number| line_of_kernel(number, &long)).collect();
        let svg = drawing(&entries);
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert!(number(document.root_element(), "height") > 500 * ROW);
        let labels = document.descendants().filter(|node| node.has_tag_name("text"));
        assert!(labels.filter_map(|node| node.text()).all(|text| text.chars().count() <= LONGEST_LABEL + 1));
    }

    #[test]
    fn one_moment_alone_is_a_drawing_too() {
        let svg = drawing(&[line_of_kernel(u64::MAX, "x")]);
        assert!(roxmltree::Document::parse(&svg).is_ok(), "{svg}");
    }
}
