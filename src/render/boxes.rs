//! The topology as a drawing in text: a box a process, a line a patch, and outside, at the right,
//! the rings that lead from one patch to another.

use crate::render::wires::{Wire, Wires};
use crate::topology::{Cable, End, ProcessBox};

/// Characters to draw with.
struct Pens {
    dash: char,
    side: char,
    corners: [char; 4],
    out: char,
    through: char,
    bend: char,
    left: char,
    right: char,
}

const UNICODE: Pens = Pens {
    dash: '─',
    side: '│',
    corners: ['┌', '┐', '└', '┘'],
    out: '├',
    through: '┼',
    bend: '└',
    left: '◀',
    right: '▶',
};

const ASCII: Pens = Pens {
    dash: '-',
    side: '|',
    corners: ['+', '+', '+', '+'],
    out: '+',
    through: '+',
    bend: '+',
    left: '<',
    right: '>',
};

/// A line of a box.
enum Row<'a> {
    Top(&'a str),
    /// A ring comes in from outside.
    In(&'a End),
    /// A patch; `fed` if its source is the line above, `led` if its destination is a ring that
    /// goes on outside.
    Cable {
        cable: &'a Cable,
        fed: bool,
        led: bool,
    },
    Text(String),
    Bottom,
}

/// Draws the boxes under each other; with line-drawing characters, or in ASCII.
pub fn draw(boxes: &[ProcessBox], unicode: bool) -> String {
    let pens = if unicode { &UNICODE } else { &ASCII };
    let rows = rows(boxes);
    let (src, label, dst) = widths(boxes);
    // `src -- label --> dst`, with at least two dashes on each side of the label.
    let titles = boxes.iter().map(|shown| length(&shown.title) + 2);
    let texts = rows.iter().map(|row| match row {
        Row::Text(text) => length(text),
        _ => 0,
    });
    let inside = titles
        .chain(texts)
        .max()
        .unwrap_or(0)
        .max(src + label + dst + 9);
    let mut wires = Wires::new();
    for (index, row) in rows.iter().enumerate() {
        match row {
            Row::In(end) => wires.touch(&end.port, index, Wire::Arrives),
            Row::Cable {
                cable, led: true, ..
            } => {
                wires.touch(&cable.dst.port, index, Wire::Leaves);
            }
            _ => {}
        }
    }
    let margin = wires.draw(rows.len(), unicode);
    let mut text = String::new();
    for (row, outside) in rows.iter().zip(margin) {
        let line = match row {
            Row::Top(title) => {
                let dashes = repeat(pens.dash, inside - length(title) - 1);
                let [left, right, ..] = pens.corners;
                format!("{left}{} {title} {dashes}{right}", pens.dash)
            }
            Row::Bottom => {
                let [.., left, right] = pens.corners;
                format!("{left}{}{right}", repeat(pens.dash, inside + 2))
            }
            Row::Text(text) => {
                let blanks = repeat(' ', inside - length(text));
                format!("{side} {text}{blanks} {side}", side = pens.side)
            }
            Row::In(end) => {
                let shown = shown(end);
                let dashes = repeat(pens.dash, inside - length(&shown) - 1);
                format!(
                    "{} {shown} {}{dashes}{}",
                    pens.side, pens.left, pens.through
                )
            }
            Row::Cable { cable, fed, led } => {
                let from = match fed {
                    true => format!(
                        "  {}{}",
                        pens.bend,
                        repeat(pens.dash, src.saturating_sub(2))
                    ),
                    false => {
                        let shown = shown(&cable.src);
                        let blanks = repeat(' ', src - length(&shown));
                        format!("{shown}{blanks} ")
                    }
                };
                let to = shown(&cable.dst);
                let label = match cable.label.is_empty() {
                    true => String::new(),
                    false => format!(" {} ", cable.label),
                };
                let used = length(&from) + length(&label) + 2 + 2 + dst;
                let dashes = repeat(pens.dash, inside - used);
                let blanks = repeat(' ', dst - length(&to));
                let (gap, edge) = match led {
                    // The dashes of a short name go on to the edge.
                    true => (format!("{}{}", blanks, " "), pens.out),
                    false => (format!("{blanks} "), pens.side),
                };
                let two = repeat(pens.dash, 2);
                format!(
                    "{} {from}{two}{label}{dashes}{} {to}{gap}{edge}",
                    pens.side, pens.right
                )
            }
        };
        text.push_str(line.trim_end());
        text.push_str(&outside);
        text.push('\n');
    }
    text
}

fn rows(boxes: &[ProcessBox]) -> Vec<Row<'_>> {
    let cables = || boxes.iter().flat_map(|shown| &shown.cables);
    // A ring leads on if somebody puts packets in and somebody takes them out.
    let leads = |port: &str| {
        port.starts_with("ring:")
            && cables().any(|cable| cable.src.port == port)
            && cables().any(|cable| cable.dst.port == port)
    };
    let mut rows = Vec::new();
    for shown in boxes {
        rows.push(Row::Top(&shown.title));
        for cable in &shown.cables {
            let fed = leads(&cable.src.port);
            if fed {
                rows.push(Row::In(&cable.src));
            }
            rows.push(Row::Cable {
                cable,
                fed,
                led: leads(&cable.dst.port),
            });
        }
        rows.extend(shown.loose.iter().map(|end| {
            let link = if end.down { ", down" } else { "" };
            Row::Text(format!("{} (not patched{link})", end.port))
        }));
        if !shown.note.is_empty() {
            rows.push(Row::Text(shown.note.clone()));
        } else if shown.cables.is_empty() && shown.loose.is_empty() {
            rows.push(Row::Text("(no ports)".to_owned()));
        }
        rows.push(Row::Bottom);
    }
    rows
}

/// Widths of the sources, labels (with blanks around them) and destinations.
fn widths(boxes: &[ProcessBox]) -> (usize, usize, usize) {
    let mut widths = (6, 10, 6);
    for cable in boxes.iter().flat_map(|shown| &shown.cables) {
        widths.0 = widths.0.max(length(&shown(&cable.src)));
        widths.1 = widths.1.max(length(&cable.label) + 2);
        widths.2 = widths.2.max(length(&shown(&cable.dst)));
    }
    widths
}

fn shown(end: &End) -> String {
    if end.down {
        format!("{} (down)", end.port)
    } else {
        end.port.clone()
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn repeat(character: char, times: usize) -> String {
    std::iter::repeat_n(character, times).collect()
}

#[cfg(test)]
mod tests {
    use protocol::reply::PatchPorts;

    use super::*;
    use crate::topology::{from_details, from_status};
    use crate::{rates, testing};

    fn patches(pairs: &[(&str, &str)]) -> Vec<PatchPorts> {
        pairs
            .iter()
            .map(|(src, dst)| PatchPorts {
                src: (*src).into(),
                dst: (*dst).into(),
                with: None,
            })
            .collect()
    }

    #[test]
    fn rings_join_processes_in_the_margin() {
        let before = testing::details();
        let after = testing::later(&before);
        let shown = from_details(&after, &rates::between(&before, &after));
        let drawn = draw(&shown, true);
        assert_eq!(drawn, include_str!("../testing/topology.txt"), "\n{drawn}");
    }

    #[test]
    fn ascii_has_the_same_shape() {
        let first = from_status("nfv:1", "running", &[], &patches(&[("phy:0", "ring:0")]));
        let second = from_status("nfv:2", "idling", &[], &patches(&[("ring:0", "phy:1")]));
        let drawn = draw(&[first, second], false);
        assert!(drawn.is_ascii(), "{drawn}");
        assert_eq!(
            drawn,
            include_str!("../testing/topology_ascii.txt"),
            "\n{drawn}"
        );
    }

    #[test]
    fn a_chain_through_one_process_and_a_merge_are_drawn_with_joints() {
        let one = from_status(
            "nfv:1",
            "running",
            &["vhost:9".into()],
            &patches(&[
                ("phy:0", "ring:0"),
                ("ring:0", "ring:1"),
                ("phy:1", "ring:1"),
            ]),
        );
        let two = from_status("nfv:2", "running", &[], &patches(&[("ring:1", "ring:2")]));
        let three = from_status("nfv:3", "running", &[], &[]);
        let drawn = draw(&[one, two, three], true);
        assert_eq!(
            drawn,
            include_str!("../testing/topology_chain.txt"),
            "\n{drawn}"
        );
    }

    #[test]
    fn every_line_of_a_box_has_the_same_width() {
        let long = "x".repeat(100);
        let odd = from_status(
            &long,
            "idling",
            std::slice::from_ref(&long),
            &patches(&[("a", &long)]),
        );
        let drawn = draw(&[odd], true);
        let widths: Vec<_> = drawn.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{drawn}");
        assert_eq!(draw(&[], true), "");
    }
}
