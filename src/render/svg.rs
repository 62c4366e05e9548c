//! The topology as a picture in SVG.

use crate::render::layout::{self, Block, HEAD, Layout, Link};
use crate::render::names;
use crate::topology::{ProcessBox, Subgraph};

/// Colours of cables, in turn.
const HUES: [&str; 8] = [
    "#2563eb", "#059669", "#d97706", "#9333ea", "#0891b2", "#db2777", "#65a30d", "#7c5e3c",
];
const INK: &str = "#18212f";
const DIM: &str = "#5b687c";
const BAD: &str = "#b91c1c";
const RING: &str = "#b7791f";
const OUTSIDE: &str = "#8793a6";
/// From a line that leads back to the edge of a box.
const TURN: f64 = 22.0;

/// The whole document.
pub fn picture(boxes: &[ProcessBox], subgraphs: &[Subgraph]) -> String {
    let laid = layout::of(boxes, subgraphs);
    let (width, height) = (laid.width.ceil(), laid.height.ceil());
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"12\">\n\
         <title>SPP panel</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#eef1f6\"/>\n"
    );
    let mut back = 0;
    for link in &laid.links {
        back += usize::from(link.back);
        text.push_str(&line(&laid, link, back));
    }
    laid.blocks.iter().for_each(|shown| block(&mut text, shown));
    text.push_str("</svg>\n");
    text
}

/// A ring, or a way into a subgraph. Those that lead back pass under all boxes, each at a height
/// of its own.
fn line(laid: &Layout, link: &Link, number: usize) -> String {
    let (from, to) = (&laid.blocks[link.from.0], &laid.blocks[link.to.0]);
    let (x1, y1) = (from.x + from.width, from.row(link.from.1));
    let (x2, y2) = (to.x, to.row(link.to.1));
    let path = if link.back {
        let under = laid.height - 12.0 * number as f64;
        let step = 6.0 * (number % 8) as f64;
        let (right, left) = (from.edge + TURN + step, x2 - TURN + step / 4.0);
        format!("M{x1} {y1}H{right}V{under}H{left}V{y2}H{x2}")
    } else {
        let bend = (x2 - x1) / 2.0;
        format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)
    };
    let outer = from.outside || to.outside;
    let (colour, dash) = match outer {
        true => (OUTSIDE, " stroke-dasharray=\"6 4\""),
        false => (RING, ""),
    };
    let width = if outer { 2 } else { 4 };
    let mut text = format!(
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dash}/>\n"
    );
    if !outer {
        let name = &from.outs[link.from.1].port;
        text.push_str(&write(x1 + 8.0, y1 - 7.0, "start", RING, "bold", name));
    }
    text
}

fn block(text: &mut String, shown: &Block) {
    let Block {
        x,
        y,
        width,
        height,
        ..
    } = shown;
    let (fill, edge, dash) = match shown.outside {
        true => ("#f6f7fa", OUTSIDE, " stroke-dasharray=\"6 4\""),
        false => ("#ffffff", "#b9c2d0", ""),
    };
    text.push_str(&format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"{fill}\" stroke=\"{edge}\"{dash}/>\n"
    ));
    let title = if shown.running { INK } else { DIM };
    text.push_str(&write(
        x + 14.0,
        y + 22.0,
        "start",
        title,
        "bold",
        &shown.title,
    ));
    if !shown.note.is_empty() {
        text.push_str(&write(
            x + 14.0,
            y + HEAD + 16.0,
            "start",
            DIM,
            "normal",
            &shown.note,
        ));
        return;
    }
    let (left, right) = (x + shown.lane.0, x + shown.lane.1);
    for (number, (src, dst, label)) in shown.cables.iter().enumerate() {
        let (y1, y2) = (shown.row(*src), shown.row(*dst));
        let (one, two) = (left + (right - left) * 0.5, right - (right - left) * 0.5);
        let hue = HUES[number % HUES.len()];
        let style = match shown.running {
            true => String::new(),
            false => " stroke-dasharray=\"7 5\" opacity=\"0.6\"".to_owned(),
        };
        text.push_str(&format!(
            "<path d=\"M{left} {y1}C{one} {y1} {two} {y2} {right} {y2}\" fill=\"none\" stroke=\"{hue}\" stroke-width=\"4\"{style}/>\n"
        ));
        if !label.is_empty() {
            let colour = if label.contains("drop") { BAD } else { DIM };
            text.push_str(&write(
                left - 12.0,
                y1 + 4.0,
                "end",
                colour,
                "normal",
                label,
            ));
        }
    }
    for (index, end) in shown.ins.iter().enumerate() {
        let y = shown.row(index);
        let patched = shown.outside || shown.cables.iter().any(|(src, ..)| *src == index);
        let colour = if end.down {
            BAD
        } else if patched {
            INK
        } else {
            DIM
        };
        text.push_str(&write(
            x + 16.0,
            y + 4.0,
            "start",
            colour,
            "normal",
            &layout::shown(end),
        ));
        if !shown.outside {
            text.push_str(&socket(left, y, patched));
        }
    }
    for (index, end) in shown.outs.iter().enumerate() {
        let y = shown.row(index);
        let colour = if end.down { BAD } else { INK };
        let far = x + width - 16.0;
        text.push_str(&write(
            far,
            y + 4.0,
            "end",
            colour,
            "normal",
            &layout::shown(end),
        ));
        if !shown.outside {
            text.push_str(&socket(right, y, true));
        }
    }
}

fn socket(x: f64, y: f64, patched: bool) -> String {
    let edge = if patched { INK } else { "#b9c2d0" };
    format!(
        "<circle cx=\"{x}\" cy=\"{y}\" r=\"6\" fill=\"#ffffff\" stroke=\"{edge}\" stroke-width=\"3\"/>\n"
    )
}

fn write(x: f64, y: f64, anchor: &str, colour: &str, weight: &str, text: &str) -> String {
    let text = escaped(text);
    format!(
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{colour}\" font-weight=\"{weight}\">{text}</text>\n"
    )
}

/// A text between tags.
fn escaped(text: &str) -> String {
    names::printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::reply::PatchPorts;

    use super::*;
    use crate::topology::{from_details, from_status};
    use crate::{rates, testing};

    fn texts(svg: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let texts = document
            .descendants()
            .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
        texts
            .map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn processes_ports_rates_and_subgraphs_are_in_the_picture() {
        let before = testing::details();
        let after = testing::later(&before);
        let shown = from_details(&after, &rates::between(&before, &after));
        let guest = Subgraph::read("guest & co", "vhost:1").unwrap();
        let svg = picture(&shown, &[guest]);
        let texts = texts(&svg);
        for part in [
            "vhost:1",
            "ring:0",
            "ring:1",
            "guest & co",
            "2.00 Mpps, 1001000 packets, 39 drops",
        ] {
            assert!(texts.iter().any(|text| text == part), "{part}: {texts:?}");
        }
        let document = roxmltree::Document::parse(&svg).unwrap();
        let size = |name: &str| {
            document
                .root_element()
                .attribute(name)
                .unwrap()
                .parse::<f64>()
                .unwrap()
        };
        for circle in document
            .descendants()
            .filter(|node| node.tag_name().name() == "circle")
        {
            let at = |name: &str| circle.attribute(name).unwrap().parse::<f64>().unwrap();
            assert!(at("cx") < size("width") && at("cy") < size("height"));
        }
    }

    proptest! {
        #[test]
        fn names_are_only_text(src in ".{1,20}", dst in "[<>&'\"/ a-z!\\[\\]-]{1,20}", label in "[^,;]{1,9}") {
            let patches = [PatchPorts { src: src.clone(), dst: dst.clone(), with: None }];
            let subgraph = Subgraph { label: label.clone(), ports: vec!["vhost:1".into()] };
            let shown = from_status("nfv:1", "running", &[], &patches);
            let svg = picture(&[shown], &[subgraph]);
            let document = roxmltree::Document::parse(&svg);
            prop_assert!(document.is_ok(), "{:?}", document);
            let tags: std::collections::BTreeSet<_> = document.iter().flat_map(|d| d.descendants())
                .filter(|node| node.is_element()).map(|node| node.tag_name().name().to_owned()).collect();
            let known = ["circle", "path", "rect", "svg", "text", "title"];
            prop_assert!(tags.iter().all(|tag| known.contains(&tag.as_str())), "{:?}", tags);
            let texts = texts(&svg);
            let plain = names::printable(&dst);
            prop_assert!(texts.contains(&plain), "{:?}: {:?}", plain, texts);
        }
    }
}
