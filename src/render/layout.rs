//! Where things lie in a picture of the panel: boxes in columns from left to right as packets go,
//! in each box a row for each port, at its left those that packets come from.

use crate::topology::{End, ProcessBox, Subgraph};

/// Height of a row, in pixels, as all lengths here.
pub const ROW: f64 = 26.0;
/// Height of a box's title.
pub const HEAD: f64 = 34.0;
/// Width of the part of a box in which its cables are.
pub const LANE: f64 = 110.0;
/// Between boxes above each other, and around the picture.
const GAP: f64 = 34.0;
/// Between columns.
const AISLE: f64 = 104.0;
/// Of a character of the smaller text; the fonts of viewers differ, so rather too much.
const CHARACTER: f64 = 7.9;

/// A box of the picture: a process, or a subgraph outside of the panel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Block {
    /// Text in its head.
    pub title: String,
    /// Text instead of ports; empty otherwise.
    pub note: String,
    /// It forwards.
    pub running: bool,
    /// It is a subgraph.
    pub outside: bool,
    /// Ports that packets come from, at the left.
    pub ins: Vec<End>,
    /// Ports that they go to, at the right.
    pub outs: Vec<End>,
    /// Patches: index in `ins`, index in `outs`, label.
    pub cables: Vec<(usize, usize, String)>,
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Where its cables begin and end, from its left edge.
    pub lane: (f64, f64),
    /// Right edge of the widest box of its column.
    pub edge: f64,
    column: usize,
}

impl Block {
    /// Height of the middle of a row.
    pub fn row(&self, index: usize) -> f64 {
        self.y + HEAD + ROW * (index as f64 + 0.5)
    }
}

/// A line from a port of one box to the same port of another: a ring, or into a subgraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Index of the box, and of the port in its `outs`.
    pub from: (usize, usize),
    /// Index of the box, and of the port in its `ins`.
    pub to: (usize, usize),
    /// It leads back, to the same column or one further left.
    pub back: bool,
}

/// A picture before it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Boxes.
    pub blocks: Vec<Block>,
    /// Lines between them.
    pub links: Vec<Link>,
    /// Width of all.
    pub width: f64,
    /// Height of all.
    pub height: f64,
}

/// Lays a panel out.
pub fn of(boxes: &[ProcessBox], subgraphs: &[Subgraph]) -> Layout {
    let mut blocks: Vec<Block> = boxes.iter().map(process).collect();
    let inner = blocks.len();
    blocks.extend(subgraphs.iter().map(|group| outside(group, boxes)));
    let mut links = Vec::new();
    for (a, from) in blocks.iter().enumerate() {
        for (b, to) in blocks.iter().enumerate() {
            for (out, end) in from.outs.iter().enumerate() {
                // Between processes only rings lead on; subgraphs are joined by every port.
                let leads =
                    (a >= inner) != (b >= inner) || (a < inner && end.port.starts_with("ring:"));
                let found = to.ins.iter().position(|other| other.port == end.port);
                if let (true, Some(into)) = (leads, found) {
                    let used = |block: &Block, index: usize, left: bool| {
                        block.outside
                            || block.cables.iter().any(|(src, dst, _)| {
                                if left { *src == index } else { *dst == index }
                            })
                    };
                    if used(from, out, false) && used(to, into, true) {
                        let (from, to) = ((a, out), (b, into));
                        links.push(Link {
                            from,
                            to,
                            back: false,
                        });
                    }
                }
            }
        }
    }
    columns(&mut blocks, &mut links);
    let (width, height) = place(&mut blocks, &links);
    Layout {
        blocks,
        links,
        width,
        height,
    }
}

fn process(shown: &ProcessBox) -> Block {
    let mut block = Block {
        title: shown.title.clone(),
        note: shown.note.clone(),
        running: shown.running,
        ..Block::default()
    };
    for cable in &shown.cables {
        let src = index_of(&mut block.ins, &cable.src);
        let dst = index_of(&mut block.outs, &cable.dst);
        block.cables.push((src, dst, cable.label.clone()));
    }
    block.ins.extend(shown.loose.iter().cloned());
    if block.note.is_empty() && block.ins.is_empty() {
        block.note = "no ports".to_owned();
    }
    block
}

/// A subgraph takes what is sent to its ports, and sends what is received from them.
fn outside(group: &Subgraph, boxes: &[ProcessBox]) -> Block {
    let cables = || boxes.iter().flat_map(|shown| &shown.cables);
    let ends = |wanted: &dyn Fn(&str) -> bool| {
        let ports = group.ports.iter().filter(|port| wanted(port));
        ports.map(|port| End::of(port)).collect::<Vec<_>>()
    };
    let sent = |port: &str| cables().any(|cable| cable.dst.port == port);
    let received = |port: &str| cables().any(|cable| cable.src.port == port);
    Block {
        title: group.label.clone(),
        running: true,
        outside: true,
        ins: ends(&|port| sent(port) || !received(port)),
        outs: ends(&received),
        ..Block::default()
    }
}

fn index_of(ends: &mut Vec<End>, end: &End) -> usize {
    ends.iter()
        .position(|other| other.port == end.port)
        .unwrap_or_else(|| {
            ends.push(end.clone());
            ends.len() - 1
        })
}

/// Gives each box its column, one further right than what feeds it. Of a circle, the box that
/// comes first begins, and what leads to it leads back.
fn columns(blocks: &mut [Block], links: &mut [Link]) {
    let mut done: Vec<usize> = Vec::new();
    while done.len() < blocks.len() {
        let left: Vec<usize> = (0..blocks.len()).filter(|at| !done.contains(at)).collect();
        let fed = |at: usize| {
            links
                .iter()
                .any(|link| link.to.0 == at && link.from.0 != at && left.contains(&link.from.0))
        };
        let Some(next) = left
            .iter()
            .copied()
            .find(|at| !fed(*at))
            .or(left.first().copied())
        else {
            return;
        };
        let before = links
            .iter()
            .filter(|link| link.to.0 == next && done.contains(&link.from.0));
        let column = before.map(|link| blocks[link.from.0].column + 1).max();
        blocks[next].column = column.unwrap_or(0);
        done.push(next);
    }
    for link in links {
        link.back = blocks[link.to.0].column <= blocks[link.from.0].column;
    }
}

fn place(blocks: &mut [Block], links: &[Link]) -> (f64, f64) {
    blocks.iter_mut().for_each(measure);
    let last = blocks.iter().map(|block| block.column).max().unwrap_or(0);
    let mut x = GAP;
    let mut lowest = 0.0_f64;
    for column in 0..=last {
        let mut here: Vec<usize> = (0..blocks.len())
            .filter(|at| blocks[*at].column == column)
            .collect();
        // Near to what feeds them, so that few lines cross.
        let height = |at: &usize| {
            let feeders = links.iter().filter(|link| link.to.0 == *at && !link.back);
            let rows: Vec<f64> = feeders
                .map(|link| blocks[link.from.0].row(link.from.1))
                .collect();
            rows.iter().sum::<f64>() / rows.len().max(1) as f64
        };
        let heights: Vec<(usize, f64)> = here.iter().map(|at| (*at, height(at))).collect();
        let of = |at: &usize| {
            heights
                .iter()
                .find(|(one, _)| one == at)
                .map_or(0.0, |(_, y)| *y)
        };
        here.sort_by(|one, other| of(one).total_cmp(&of(other)));
        let mut y = GAP;
        let mut widest = 0.0_f64;
        for at in &here {
            (blocks[*at].x, blocks[*at].y) = (x, y);
            y += blocks[*at].height + GAP;
            widest = widest.max(blocks[*at].width);
        }
        for at in here {
            blocks[at].edge = x + widest;
        }
        x += widest + AISLE;
        lowest = lowest.max(y);
    }
    // Lines that lead back pass right of their column and under all boxes.
    let back = links.iter().filter(|link| link.back).count();
    let right = if back > 0 { AISLE } else { GAP };
    (x - AISLE + right, lowest + back as f64 * 12.0)
}

fn measure(block: &mut Block) {
    let longest =
        |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0) as f64 * CHARACTER;
    let length = |text: &str| text.chars().count();
    let ins = longest(&mut block.ins.iter().map(|end| length(&shown(end))));
    let outs = longest(&mut block.outs.iter().map(|end| length(&shown(end))));
    let labels = longest(&mut block.cables.iter().map(|(.., label)| length(label)));
    let lane = if block.outside { 26.0 } else { LANE };
    let labels = if labels > 0.0 { labels + 16.0 } else { 0.0 };
    let from = 18.0 + ins + 12.0 + labels;
    let inside = from + lane + if outs > 0.0 { 12.0 + outs + 18.0 } else { 0.0 };
    let texts =
        [&block.title, &block.note].map(|text| length(text) as f64 * (CHARACTER + 1.2) + 30.0);
    block.width = inside.max(texts[0]).max(texts[1]);
    block.lane = (from, block.width - (inside - from - lane));
    let rows = block.ins.len().max(block.outs.len()).max(1);
    block.height = HEAD + ROW * rows as f64 + 10.0;
}

/// How a port is written.
pub fn shown(end: &End) -> String {
    match end.down {
        true => format!("{} (down)", end.port),
        false => end.port.clone(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::reply::PatchPorts;

    use super::*;
    use crate::topology::from_status;

    fn process(name: &str, patches: &[(&str, &str)]) -> ProcessBox {
        let patch = |(src, dst): &(&str, &str)| PatchPorts {
            src: (*src).into(),
            dst: (*dst).into(),
            with: None,
        };
        let patches: Vec<_> = patches.iter().map(patch).collect();
        from_status(name, "running", &[], &patches)
    }

    #[test]
    fn boxes_follow_the_packets_and_never_lie_on_each_other() {
        let boxes = [
            process("nfv:3", &[("ring:1", "phy:1"), ("ring:2", "ring:0")]),
            process("nfv:1", &[("phy:0", "ring:0"), ("vhost:1", "ring:9")]),
            process("nfv:2", &[("ring:0", "ring:1"), ("ring:9", "ring:2")]),
            process("nfv:4", &[]),
        ];
        let guest = Subgraph::read("guest", "vhost:1").unwrap();
        let laid = of(&boxes, &[guest]);
        let column = |title: &str| {
            let block = laid
                .blocks
                .iter()
                .find(|block| block.title.starts_with(title));
            block.unwrap().column
        };
        assert!(column("guest") < column("nfv:1"));
        // nfv 3 begins the circle 3 → 2 → 3, because it comes first.
        assert!(column("nfv:1") < column("nfv:2"));
        assert_eq!(laid.links.len(), 6);
        assert!(laid.links.iter().any(|link| link.back));
        for (at, one) in laid.blocks.iter().enumerate() {
            assert!(one.x >= 0.0 && one.x + one.width <= laid.width, "{one:?}");
            assert!(one.y >= 0.0 && one.y + one.height <= laid.height, "{one:?}");
            assert!(
                one.lane.0 < one.lane.1 && one.lane.1 <= one.width,
                "{one:?}"
            );
            for other in &laid.blocks[at + 1..] {
                let apart = one.x + one.width < other.x
                    || other.x + other.width < one.x
                    || one.y + one.height < other.y
                    || other.y + other.height < one.y;
                assert!(apart, "{one:?} {other:?}");
            }
        }
    }
}
