//! Tables for people: aligned by display width, cut to the width of the terminal.

use dialoguer::console::{measure_text_width, truncate_str};

/// The gap between two columns.
const GAP: usize = 2;
/// The width to which the last column, which holds the longest text, is cut first.
const LAST: usize = 12;
/// The width to which the widest columns are cut next, and the one that names the row last. Columns that have no
/// room even then are left out; a terminal that is narrower than what is left breaks the lines.
const LEAST: usize = 6;
/// The heads of columns with ids, which are copied: they are never cut.
const IDS: [&str; 3] = ["ID", "INSTANCE", "CONTAINER"];

/// Formats the heads and the rows as lines of at most `columns` columns, where a wide character takes two.
pub fn lines<const N: usize>(
    heads: [&str; N],
    rows: &[[impl AsRef<str>; N]],
    columns: Option<usize>,
) -> Vec<String> {
    let rows: Vec<[&str; N]> = rows.iter().map(|row| row.each_ref().map(AsRef::as_ref)).collect();
    let (widths, shown) = layout(&heads, &rows, columns);
    let line = |cells: &[&str; N]| {
        let cells = cells.iter().zip(widths).zip(shown).filter(|(_, shown)| *shown);
        let padded = cells.map(|((cell, width), _)| {
            let cut = truncate_str(cell, width, "…");
            let missing = width.saturating_sub(measure_text_width(&cut));
            format!("{cut}{}", " ".repeat(missing))
        });
        padded.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    std::iter::once(line(&heads)).chain(rows.iter().map(line)).collect()
}

/// Returns the heads of the columns that have no room in a terminal of this width, although something is in them.
pub fn left_out<'h, const N: usize>(
    heads: [&'h str; N],
    rows: &[[impl AsRef<str>; N]],
    columns: Option<usize>,
) -> Vec<&'h str> {
    let rows: Vec<[&str; N]> = rows.iter().map(|row| row.each_ref().map(AsRef::as_ref)).collect();
    let (_, shown) = layout(&heads, &rows, columns);
    let is_filled = |column: usize| rows.iter().any(|row| !row[column].is_empty());
    (0..N).filter(|column| !shown[*column] && is_filled(*column)).map(|column| heads[column]).collect()
}

/// Returns the width of each column, and whether it is shown.
fn layout<const N: usize>(
    heads: &[&str; N],
    rows: &[[&str; N]],
    columns: Option<usize>,
) -> ([usize; N], [bool; N]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| measure_text_width(row[column]));
        cells.chain([heads[column].len()]).max().unwrap_or(0)
    };
    let mut widths: [usize; N] = std::array::from_fn(width);
    // The column that names a row; a mark may come before it.
    let key = heads.iter().position(|head| !head.is_empty()).unwrap_or(0);
    let mut shown = [true; N];
    if let Some(columns) = columns {
        for column in (0..N).rev() {
            let is_empty = !rows.is_empty() && rows.iter().all(|row| row[column].is_empty());
            shown[column] = !(is_empty && whole(&widths, &shown) > columns);
        }
        let ids = heads.map(|head| IDS.contains(&head));
        fit(&mut widths, &mut shown, &ids, key, columns);
    }
    (widths, shown)
}

/// Returns the width of a line.
fn whole(widths: &[usize], shown: &[bool]) -> usize {
    let shown: Vec<usize> =
        widths.iter().zip(shown).filter(|(_, shown)| **shown).map(|(width, _)| *width).collect();
    shown.iter().sum::<usize>() + GAP * (shown.len().max(1) - 1)
}

/// Makes the columns fit. Those that have no room even when all are as narrow as possible are left out, the last
/// one first; but never the `key` column, nor those with `ids`, which keep their width. Then the rest are
/// narrowed: the last column first, the `key` column last.
fn fit(widths: &mut [usize], shown: &mut [bool], ids: &[bool], key: usize, columns: usize) {
    let narrow = |(column, width): (usize, &usize)| if ids[column] { *width } else { LEAST.min(*width) };
    let least: Vec<usize> = widths.iter().enumerate().map(narrow).collect();
    let can_go = |column: usize| column != key && !ids[column];
    while whole(&least, shown) > columns
        && let Some(last) = (0..shown.len()).rfind(|column| shown[*column] && can_go(*column))
    {
        shown[last] = false;
    }
    if let Some(last) = shown.iter().rposition(|shown| *shown).filter(|last| !ids[*last]) {
        let too_much = whole(widths, shown).saturating_sub(columns);
        widths[last] = widths[last].saturating_sub(too_much).max(LAST.min(widths[last]));
    }
    while whole(widths, shown) > columns {
        let others = (0..widths.len()).filter(|column| can_go(*column) && shown[*column]);
        let widest = others.max_by_key(|column| widths[*column]).filter(|one| widths[*one] > LEAST);
        match widest {
            Some(widest) => widths[widest] -= 1,
            None if widths.get(key).is_some_and(|width| !ids[key] && *width > LEAST) => widths[key] -= 1,
            None => break,
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
    fn empty_columns_go_first_and_names_shrink_last() {
        let rows = [
            ["payments_capture_eu", "warm", "", "3 min ago"],
            ["payments_capture_us", "cold", "", "now"],
        ];
        let narrow = lines(["NAME", "STATE", "DESCRIPTION", "DEPLOYED"], &rows, Some(36));
        assert_eq!(
            narrow,
            [
                "NAME                 STATE  DEPLOYED",
                "payments_capture_eu  warm   3 min a…",
                "payments_capture_us  cold   now",
            ]
        );
    }

    #[test]
    fn ids_are_never_cut_and_other_columns_go_first() {
        let heads = ["ID", "FUNCTION", "MODE", "STATE", "START", "ACCEPTED", "DURATION"];
        let rows = [
            ["139147104e", "payments_capture_eu", "sync", "succeeded", "cold", "3 min ago", "171 ms"],
            ["ad914b5131", "hello_fn", "async", "timed_out", "warm", "now", ""],
        ];
        assert_eq!(left_out(heads, &rows, Some(40)), ["ACCEPTED", "DURATION"]);
        assert_eq!(left_out(heads, &rows, None), Vec::<&str>::new());
        assert_eq!(
            lines(heads, &rows, Some(40)),
            [
                "ID          FUNCT…  MODE   STATE   START",
                "139147104e  payme…  sync   succe…  cold",
                "ad914b5131  hello…  async  timed…  warm",
            ]
        );
        for columns in [40, 30, 20, 10, 3] {
            let lines = lines(heads, &rows, Some(columns));
            assert!(
                lines[1].starts_with("139147104e") && lines[2].starts_with("ad914b5131"),
                "{lines:#?}"
            );
            let least = columns.max(10);
            assert!(lines.iter().all(|line| measure_text_width(line) <= least), "{lines:#?}");
        }
        // Also where they are not what names the row.
        let heads = ["FUNCTION", "REVISION", "INSTANCE", "CONTAINER", "STARTED"];
        let rows = [["payments_capture_eu", "12", "bda13479107e", "01a2087633fa", "3 min ago"]];
        assert_eq!(
            lines(heads, &rows, Some(40)),
            ["FUNCTION      INSTANCE      CONTAINER", "payments_ca…  bda13479107e  01a2087633fa"]
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
