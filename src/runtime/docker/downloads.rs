//! Downloads that a Dockerfile, or an image that it begins with, has the engine do, with the network of its host.

use std::collections::BTreeSet;

use super::instructions::{MAX_BYTES, Reading, lines};

/// The characters of which an engine can make an address for `ADD`, or that hide one from a reader: it takes quotes away,
/// and replaces variables and escapes. What is left without them is the path of a file.
const NOT_IN_ADD: [char; 5] = [':', '$', '\\', '`', '\''];
/// The limit of what is read to find downloads, in bytes; an ordinary Dockerfile is read once or twice.
const MAX_READ: usize = 64 * MAX_BYTES;
const DOWNLOAD: &str = "the engine would download it with the network of its host";

/// Returns whether the engine may download something for this text: a Dockerfile, or what an image has the engine do.
pub(super) fn downloads(text: &str) -> bool {
    refuse_downloads(&lines(text)).is_err()
}

/// Refuses downloads in any instruction that some engine may see in these lines.
pub(super) fn refuse_downloads(lines: &[&str]) -> Result<(), String> {
    let readings = Reading::all(lines);
    let mut starts = BTreeSet::from([0]);
    // From here on, every line may be the first one of an instruction.
    let mut unclear = lines.len();
    let mut read = 0;
    while let Some(at) = starts.pop_first().filter(|at| *at < lines.len()) {
        for reading in &readings {
            let (instruction, next) = reading.joined(lines, at);
            read += instruction.len() + next - at;
            if may_download(&instruction) {
                return Err(format!(
                    "line {}: `ADD` with an address, a variable, a quote or a `:` is not supported, since {DOWNLOAD}; use \
                     `COPY` for files, and for others a `RUN` with `network = \"egress\"` under [build]",
                    at + 1
                ));
            }
            if read > MAX_READ {
                return Err(format!("line {}: it goes on in too many lines to be read", at + 1));
            }
            starts.insert(next);
            // Only the engine knows where a here-document ends.
            if instruction.contains("<<") && next < unclear {
                starts.extend(next..unclear);
                unclear = next;
            }
        }
    }
    Ok(())
}

/// Returns whether the engine may download something for an instruction.
fn may_download(instruction: &str) -> bool {
    let (mut word, mut rest) = first_word(instruction);
    if word.eq_ignore_ascii_case("ONBUILD") {
        (word, rest) = first_word(rest);
    }
    word.eq_ignore_ascii_case("ADD") && !are_files(rest)
}

/// Splits off the first word; the rest begins with a word, too.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// Returns whether the arguments of an `ADD` are nothing but paths in the build's folder.
fn are_files(arguments: &str) -> bool {
    let mut rest = arguments;
    loop {
        let (word, behind) = first_word(rest);
        if !is_owner(word) {
            break;
        }
        rest = behind;
    }
    let has_quote = rest.contains('"');
    let is_list = has_quote && serde_json::from_str::<Vec<String>>(rest).is_ok();
    !rest.contains(NOT_IN_ADD) && !rest.to_ascii_lowercase().contains("git@") && (is_list || !has_quote)
}

/// Returns whether a word is an option that names the owner of the files, in plain characters.
fn is_owner(word: &str) -> bool {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-.:".contains(char);
    word.strip_prefix("--chown=").is_some_and(|owner| owner.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(), String> {
        refuse_downloads(&lines(text))
    }

    #[test]
    fn the_engine_downloads_nothing_for_an_author() {
        for text in [
            "ADD http://169.254.169.254/ /x",
            "add --chown=1:1 https://a/b /x",
            "ADD [\"http://a\", \"/x\"]",
            "ADD $URL /x",
            "ADD \\\n http://a /x",
            "A\\\nDD http://a /x",
            "ONBUILD ADD http://a /x",
            "ONBUILD \\\nADD http://a /x",
            "ADD `\nhttp://a /x",
            "ADD \\\n# why\n\nhttp://a /x",
            "RUN x \\\n  y\nADD http://a /x",
            // The engine takes quotes and escapes away.
            "ADD http:/\\/169.254.169.254/latest /x",
            "ADD http:/'/'127.0.0.1:7000/ /x",
            "ADD [\"http:\\/\\/h/\",\"/x\"]",
            "ADD [\"http:\\u002f\\u002fh/\",\"/x\"]",
            "ADD \"http\" /x",
            "ADD [\"a\", \"/x\"",
            "ADD [\"a\", 1]",
            "ADD git@a/b /x",
            "ADD --chown=$A a /x",
            "ADD --chown=1:1 --chown=2:2 http:/\\/h /x",
            "ONBUILD ADD http:/\\/h /x",
            "ONBUILD ADD [\"http:\\u002f\\u002fh/\",\"/x\"]",
            // To an old engine, the comment ends the instruction.
            "RUN x \\\n # why\nADD http://a /x",
            // Some engines have here-documents, whose lines are read in another way.
            "RUN <<'E\\'\nE\\\nADD http://a /x",
        ] {
            let problem = read(&format!("FROM a\n{text}")).unwrap_err();
            assert!(
                problem.contains("`ADD` with an address, a variable, a quote or a `:` is not supported"),
                "{text}: {problem}"
            );
            assert!(downloads(text), "{text}");
        }
        // Engines differ in whether this sets the character.
        let unclear = "# a=b\n# escape=`\nFROM a\nRUN x \\\nADD http://a /x";
        assert!(read(unclear).is_err() && downloads(unclear));
    }

    #[test]
    fn an_add_of_files_and_words_that_look_like_one_are_no_download() {
        for text in [
            "ADD a.tar.gz /x",
            "ADD --chown=1:1 a.tar.gz b-1.0_2.txt /x/",
            "ADD [\"a b\", \"/x\"]",
            "ADD --chown=a:b [\"a\", \"/x\"]",
            "ONBUILD ADD a /x",
            "RUN curl http://a",
            "RUN x ADD http://a",
            "RUN x \\\nADD http://a /x",
            "RUN x \\\n# why\nADD http://a /x",
            "COPY $A /x",
            "# ADD http://a /x",
            "RUN make",
            "",
        ] {
            read(&format!("FROM a\n{text}")).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert!(!downloads(text), "{text}");
        }
    }

    #[test]
    fn no_dockerfile_takes_long_to_read() {
        let lines = "ADD \\\n".repeat(MAX_BYTES / 8);
        let problem = read(&format!("FROM a\nRUN 1<<2\n{lines}")).unwrap_err();
        assert!(problem.contains("it goes on in too many lines to be read"), "{problem}");
    }
}
