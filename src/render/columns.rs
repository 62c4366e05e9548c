//! Tables in text.

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left: names.
    Left,
    /// At the right: numbers.
    Right,
}

/// Lines of a table, each with `indent` blanks before it, columns two blanks apart and as wide as
/// their widest cell. The first line is the header.
pub fn lines(indent: usize, header: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header
        .iter()
        .map(|(name, _)| name.chars().count())
        .collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let names = header.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&names).chain(rows) {
        let mut line = " ".repeat(indent);
        for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(header) {
            let blanks = " ".repeat(width - cell.chars().count());
            match align {
                Align::Left => line.push_str(&format!("{cell}{blanks}  ")),
                Align::Right => line.push_str(&format!("{blanks}{cell}  ")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_numbers_right() {
        let rows = [
            vec!["ring:0".into(), "7".into()],
            vec!["a".into(), "12345".into()],
        ];
        assert_eq!(
            lines(2, &[("PORT", Align::Left), ("RX", Align::Right)], &rows),
            "  PORT       RX\n  ring:0      7\n  a       12345\n"
        );
    }
}
