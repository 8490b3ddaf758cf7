//! Tables for people: aligned by what a terminal shows, cut to its width.

use dialoguer::console::{measure_text_width, truncate_str};

/// Between two columns.
const GAP: usize = 2;
/// The last column, which holds the longest text, gives way first, to this width.
const LAST: usize = 12;
/// Then the widest ones do, to this one; a terminal that is narrower still breaks the lines.
const LEAST: usize = 6;

/// The heads and the rows as lines, at most `columns` wide, in which a wide character counts two.
pub fn lines<const N: usize>(
    heads: [&str; N],
    rows: &[[impl AsRef<str>; N]],
    columns: Option<usize>,
) -> Vec<String> {
    let rows: Vec<[&str; N]> = rows.iter().map(|row| row.each_ref().map(AsRef::as_ref)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| measure_text_width(row[column]));
        cells.chain([heads[column].len()]).max().unwrap_or(0)
    };
    let mut widths: [usize; N] = std::array::from_fn(width);
    if let Some(columns) = columns {
        fit(&mut widths, columns);
    }
    let line = |cells: &[&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| {
            let cut = truncate_str(cell, width, "…");
            let missing = width.saturating_sub(measure_text_width(&cut));
            format!("{cut}{}", " ".repeat(missing))
        });
        padded.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    std::iter::once(line(&heads)).chain(rows.iter().map(line)).collect()
}

/// Takes away what is too much, from the last column first.
fn fit(widths: &mut [usize], columns: usize) {
    let whole = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * (widths.len().max(1) - 1);
    if let Some(last) = widths.last().copied() {
        let too_much = whole(widths).saturating_sub(columns);
        let kept = last.saturating_sub(too_much).max(LAST.min(last));
        widths[widths.len() - 1] = kept;
    }
    while whole(widths) > columns {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[String; 3]> {
        [
            ["hello_fn", "3 min ago", "Greets whoever asks, in a sentence that is quite long"],
            ["数数", "2 h ago", "日本語の説明文はとても長いのでここで切れます"],
            ["b", "now", "two words"],
        ]
        .map(|row| row.map(str::to_owned))
        .to_vec()
    }

    const HEADS: [&str; 3] = ["NAME", "DEPLOYED", "DESCRIPTION"];

    #[test]
    fn a_table_fits_the_terminal_and_wide_characters_count_two() {
        for columns in [200, 80, 60, 40, 24] {
            let lines = lines(HEADS, &rows(), Some(columns));
            assert!(
                lines.iter().all(|line| measure_text_width(line) <= columns),
                "{columns}: {lines:#?}"
            );
            assert_eq!(lines.len(), 4);
        }
        let narrow = lines(HEADS, &rows(), Some(50));
        assert_eq!(
            narrow,
            [
                "NAME      DEPLOYED   DESCRIPTION",
                "hello_fn  3 min ago  Greets whoever asks, in a se…",
                "数数      2 h ago    日本語の説明文はとても長いの…",
                "b         now        two words",
            ]
        );
    }

    #[test]
    fn a_pipe_gets_everything() {
        let all = lines(HEADS, &rows(), None);
        assert!(all[1].ends_with("that is quite long") && all[2].ends_with("切れます"), "{all:#?}");
    }

    #[test]
    fn too_narrow_a_terminal_breaks_lines_and_nothing_else() {
        assert_eq!(lines(HEADS, &rows(), Some(3)).len(), 4);
        assert_eq!(lines(["A"], &[] as &[[&str; 1]], Some(1)), ["A"]);
    }
}
