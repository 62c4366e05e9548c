//! Lines in the margin of a drawing, that join rows of text: each ring is one vertical line, with
//! a branch to every row that it touches.

/// How a wire touches a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// It begins here.
    Leaves,
    /// It ends here, with an arrow.
    Arrives,
}

/// One vertical line.
#[derive(Debug)]
struct Net {
    name: String,
    ends: Vec<(usize, Wire)>,
    track: usize,
}

impl Net {
    fn span(&self) -> (usize, usize) {
        let rows = self.ends.iter().map(|(row, _)| *row);
        (rows.clone().min().unwrap_or(0), rows.max().unwrap_or(0))
    }

    fn covers(&self, row: usize) -> bool {
        let (first, last) = self.span();
        (first..=last).contains(&row)
    }
}

/// All wires of a drawing.
#[derive(Debug, Default)]
pub struct Wires {
    nets: Vec<Net>,
}

/// Blanks or dashes between two vertical lines.
const GAP: usize = 2;

impl Wires {
    /// No wires.
    pub fn new() -> Self {
        Self::default()
    }

    /// Joins `row` to the wire called `name`.
    pub fn touch(&mut self, name: &str, row: usize, how: Wire) {
        match self.nets.iter_mut().find(|net| net.name == name) {
            Some(net) => net.ends.push((row, how)),
            None => {
                self.nets.push(Net {
                    name: name.to_owned(),
                    ends: vec![(row, how)],
                    track: 0,
                });
            }
        }
    }

    /// The margin of each of `rows` rows, from the edge of the box to the right.
    pub fn draw(&mut self, rows: usize, unicode: bool) -> Vec<String> {
        let tracks = self.place();
        (0..rows)
            .map(|row| self.line(row, tracks, unicode))
            .collect()
    }

    /// Gives each wire the first track that is free over its span, short wires first, so that
    /// neighbours are joined near the boxes. Says how many tracks there are.
    fn place(&mut self) -> usize {
        self.nets.sort_by_key(|net| {
            let (first, last) = net.span();
            (last - first, first)
        });
        let mut tracks: Vec<Vec<(usize, usize)>> = Vec::new();
        for net in &mut self.nets {
            let (first, last) = net.span();
            let free = |spans: &Vec<(usize, usize)>| {
                spans.iter().all(|(from, to)| last < *from || *to < first)
            };
            net.track = tracks.iter().position(free).unwrap_or(tracks.len());
            if net.track == tracks.len() {
                tracks.push(Vec::new());
            }
            tracks[net.track].push((first, last));
        }
        tracks.len()
    }

    fn line(&self, row: usize, tracks: usize, unicode: bool) -> String {
        // At most one wire touches a row: an arrival has a row of its own.
        let here = self
            .nets
            .iter()
            .find(|net| net.ends.iter().any(|(end, _)| *end == row));
        let dash = if unicode { '─' } else { '-' };
        let mut line = String::new();
        for track in 0..tracks {
            let branch = here.is_some_and(|net| net.track >= track);
            line.extend(std::iter::repeat_n(if branch { dash } else { ' ' }, GAP));
            let vertical = self
                .nets
                .iter()
                .find(|net| net.track == track && net.covers(row));
            line.push(match (vertical, here) {
                (Some(net), Some(here)) if std::ptr::eq(net, here) => {
                    let (first, last) = net.span();
                    match (unicode, row == first, row == last) {
                        (false, ..) => '+',
                        (true, true, true) => '╴',
                        (true, true, false) => '┐',
                        (true, false, true) => '┘',
                        (true, false, false) => '┤',
                    }
                }
                // A crossing is no joint.
                (Some(_), Some(here)) if here.track > track && unicode => '┼',
                (Some(_), _) if unicode => '│',
                (Some(_), _) => '|',
                (None, Some(here)) if here.track > track => dash,
                (None, _) => ' ',
            });
        }
        line.trim_end().to_owned()
    }
}
