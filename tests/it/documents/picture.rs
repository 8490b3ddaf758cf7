//! The picture of a terminal in the README: recorded by `docs/picture/record`, not drawn by hand.

use super::markdown::{page, root};

/// The lines of the picture as text.
fn lines() -> Vec<String> {
    let picture = std::fs::read_to_string(root().join("docs/picture/terminal.svg")).unwrap();
    let lines = picture.lines().filter_map(|line| line.strip_prefix("<text "));
    lines
        .map(|line| {
            let text: String =
                line.split('>').filter_map(|piece| piece.split('<').next()).skip(1).collect();
            text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        })
        .collect()
}

/// The commands that it shows.
pub fn commands() -> Vec<String> {
    lines().iter().filter_map(|line| line.strip_prefix("$ ").map(str::to_owned)).collect()
}

#[test]
fn the_picture_shows_the_commands_of_its_recorder() {
    let recorder = std::fs::read_to_string(root().join("docs/picture/record")).unwrap();
    let list = recorder.split_once("COMMANDS = [\n").unwrap().1.split_once("\n]\n").unwrap().0;
    let recorded: Vec<String> = list
        .lines()
        .map(|line| line.trim().trim_end_matches(',').trim_matches('"').to_owned())
        .collect();
    assert_eq!(commands(), recorded, "record the picture again: docs/picture/record");
    assert!(page("README.md").text.contains("](docs/picture/terminal.svg)"));
}

#[test]
fn the_picture_shows_the_five_commands() {
    let commands = commands();
    for name in ["init", "up", "deploy", "invoke", "logs"] {
        assert!(
            commands.iter().any(|line| line.starts_with(&format!("cloudfunc {name} "))),
            "{commands:?}"
        );
    }
    let lines = lines();
    for shown in ["cloudfunc is ready", "deployed greeter, revision 1"] {
        assert!(lines.iter().any(|line| line == shown), "no '{shown}' in {lines:#?}");
    }
}
