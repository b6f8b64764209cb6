//! What people are told of a damaged database: the note that lies with it, and one sentence of it on the status page until somebody
//! has taken it away. It rescues nothing itself.

use std::path::Path;

use outbox::rescue::{self, Account, Salvaged};

use crate::spool::recovery::Recovered;

/// Gaps that a note lists for each table; the rest is in the account beside it.
const GAPS: usize = 20;

/// The note, whose first line is for the status page.
#[must_use]
pub fn note(account: &Account, recovered: &Recovered) -> String {
    let mut note = format!("{}\n\nWhat gave it away: {}.\n\n", sentence(account, recovered), account.damage);
    if account.tables.is_empty() {
        note.push_str("Nothing of it could be read.\n");
    }
    for table in &account.tables {
        note.push_str(&line(table));
    }
    let Recovered { adopted, aside, .. } = recovered;
    note.push_str(&format!(
        "\nImages journalled again from their files: {adopted}. Those whose result was in the cloud already may show twice there.\n\
         Images read again because their result was lost: {}; the new result takes the place of the old one.\n\
         Rows that belonged to lost ones and were left out: {}.\n\
         Files that were not whole, kept in the folder `images` here: {aside}.\n",
        account.read_again, account.dropped
    ));
    note.push_str(WHAT_TO_DO);
    note
}

const WHAT_TO_DO: &str = "
What to do: look after the disk (`smartctl -a`, `dmesg`); a disk that loses pages once loses others. Keep this folder for support:
it holds patients' data, encrypted with this device's key. When that is settled, move it to a safe place away from this folder; the
status page is quiet from the next start on. All rows that were not read are numbered in account.json.
";

fn sentence(account: &Account, recovered: &Recovered) -> String {
    let rows: u64 = account.tables.iter().map(|table| table.rows).sum();
    let lost: u64 = account.tables.iter().filter_map(|table| table.lost).sum();
    let unknown = account.tables.is_empty() || account.tables.iter().any(|table| table.lost.is_none());
    let lost = match (lost, unknown) {
        (lost, false) => format!("{lost} rows were lost"),
        (0, true) => "nobody can tell how many rows were lost".to_owned(),
        (lost, true) => format!("at least {lost} rows were lost"),
    };
    format!(
        "The device database was damaged and replaced by a new one: {rows} rows were saved, {lost}, {} images were journalled again \
         from their files. No image that was acknowledged is forgotten as long as its file can be read",
        recovered.adopted
    )
}

fn line(table: &Salvaged) -> String {
    let Salvaged { what, rows, lost, gaps } = table;
    let lost = lost.map_or_else(|| "an unknown number".to_owned(), |lost| lost.to_string());
    let mut line = format!("{what}: {rows} saved, {lost} lost");
    if !gaps.is_empty() {
        let mut listed: Vec<String> = gaps
            .iter()
            .take(GAPS)
            .map(|(from, to)| if from == to { from.to_string() } else { format!("{from} to {to}") })
            .collect();
        if gaps.len() > GAPS {
            listed.push("and more".to_owned());
        }
        line.push_str(&format!(" (numbers {})", listed.join(", ")));
    }
    line.push('\n');
    line
}

/// What the status page says of databases that were put aside and are still there: a sentence and a folder for each.
///
/// # Errors
/// Where the folder cannot be read.
pub fn told(damaged: &Path) -> std::io::Result<Vec<String>> {
    let folders = rescue::noted(damaged)?;
    metrics::gauge!("databases_put_aside").set(folders.len() as f64);
    let line = |(folder, note): &(std::path::PathBuf, String)| {
        let first = note.lines().next().unwrap_or_default();
        format!(
            "{first}. Look after the disk; {} says what was lost, and what to do.",
            folder.join("note.txt").display()
        )
    };
    Ok(folders.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_what_was_saved_what_was_lost_and_what_to_do() {
        let table =
            |what: &str, rows, lost, gaps: &[(i64, i64)]| Salvaged { what: what.into(), rows, lost, gaps: gaps.into() };
        let tables = vec![table("images", 90, Some(10), &[(5, 13), (40, 40)]), table("reports", 3, None, &[(1, 100)])];
        let account = Account { damage: "file is not a database".into(), tables, read_again: 2, dropped: 4 };
        let note = note(&account, &Recovered { adopted: 7, aside: 1, ..Recovered::default() });
        let first = note.lines().next().unwrap();
        for words in ["93 rows were saved", "at least 10 rows were lost", "7 images were journalled again"] {
            assert!(first.contains(words), "{first}");
        }
        for words in [
            "images: 90 saved, 10 lost (numbers 5 to 13, 40)",
            "reports: 3 saved, an unknown number lost",
            "smartctl",
            "not a database",
        ] {
            assert!(note.contains(words), "{note}");
        }
        let nothing = super::note(&Account::default(), &Recovered::default());
        assert!(nothing.contains("Nothing of it could be read") && nothing.contains("nobody can tell"), "{nothing}");
    }
}
