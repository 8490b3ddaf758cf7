//! Links, anchors and paths lead somewhere.

use std::path::Path;

use super::markdown::{Page, all, root};

#[test]
fn links_and_anchors_lead_somewhere() {
    let pages = all();
    for page in &pages {
        let folder = Path::new(&page.path).parent().unwrap();
        // In running text; an example may contain anything.
        let text: String = page.text.split("```").step_by(2).collect();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.path.clone() } else { joined(folder, file) };
            assert!(root().join(&target).exists(), "{} links to {link}", page.path);
            if !anchor.is_empty() {
                let target: &Page = pages.iter().find(|page| page.path == target).unwrap();
                let is_there = target.anchors().any(|known| known == anchor);
                assert!(is_there, "{}: no heading for {link}", page.path);
            }
        }
        for path in page.code_spans().filter(|span| is_path(span)) {
            assert!(root().join(path).exists(), "{} names {path}", page.path);
        }
    }
}

#[test]
fn every_page_of_the_manual_is_linked_from_the_readme_and_the_index() {
    let pages = all();
    let text = |path: &str| &pages.iter().find(|page| page.path == path).unwrap().text;
    let (readme, index) = (text("README.md"), text("docs/README.md"));
    for path in pages.iter().filter_map(|page| page.path.strip_prefix("docs/")) {
        if path != "README.md" {
            assert!(
                readme.contains(&format!("](docs/{path})")),
                "README.md does not link to docs/{path}"
            );
            assert!(index.contains(&format!("]({path})")), "docs/README.md does not link to {path}");
        }
    }
}

/// A relative link from a folder of the repository.
fn joined(folder: &Path, file: &str) -> String {
    let mut parts: Vec<&str> = folder.iter().map(|part| part.to_str().unwrap()).collect();
    for part in file.split('/') {
        match part {
            ".." => assert!(parts.pop().is_some(), "{file} leads out of the repository"),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn is_path(span: &str) -> bool {
    const FOLDERS: [&str; 8] =
        ["src/", "tests/", "templates/", "functions/", "migrations/", "compose/", "benches/", "docs/"];
    let plain = !span.contains(['<', ' ', '*', '…']) && span != "compose/.env";
    plain && FOLDERS.iter().any(|folder| span.starts_with(folder))
}
