//! Markdown tables.

/// A Markdown table whose columns line up as plain text too.
pub fn table(head: Vec<String>, body: impl Iterator<Item = Vec<String>>) -> String {
    let rule = head.iter().map(|_| String::new()).collect();
    let lines: Vec<Vec<String>> = [head, rule].into_iter().chain(body).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let fill = if number == 1 { '-' } else { ' ' };
        for (cell, &width) in line.iter().zip(&widths) {
            let padding: String = std::iter::repeat_n(fill, width - cell.chars().count()).collect();
            out += &format!("|{fill}{cell}{padding}{fill}");
        }
        out += "|\n";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let line = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(line(["a", "long head"]), [line(["long cell", "b"])].into_iter());
        assert_eq!(text, "| a         | long head |\n|-----------|-----------|\n| long cell | b         |\n");
    }
}
