//! Extensions: pax records and GNU's long names, which precede an entry of a tar and change its meaning.
//!
//! A record is applied (`path`, `linkpath`, `size`), known to change nothing here (times, owners, extended
//! attributes), or refused. Two records about the same thing are refused: readers differ in which one counts.

/// The size limit of one extension, in bytes. It is held in memory.
pub(super) const MAX: u64 = 64 * 1024;

const WITHOUT_HOLES: &str = "write the archive with GNU tar without -S, or with bsdtar --no-read-sparse";

/// The extensions of the next entry.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    has_records: bool,
    /// The problem found in them. It is reported with the entry's name, which comes later.
    pub problem: Option<String>,
    /// The entry's own name, if another name stands in for it.
    pub shown_name: Option<Vec<u8>>,
}

impl Extensions {
    pub fn is_empty(&self) -> bool {
        self.path.is_none() && self.link.is_none() && !self.has_records && self.problem.is_none()
    }

    /// Takes GNU's long name (`L`).
    pub fn long_name(&mut self, content: Vec<u8>) {
        let name = self.text(content, "long name");
        self.set_path(name);
    }

    /// Takes GNU's long target of a link (`K`).
    pub fn long_link(&mut self, content: Vec<u8>) {
        let target = self.text(content, "long link target");
        self.set_link(target);
    }

    /// Takes the pax records of the next entry (`x`).
    pub fn records(&mut self, content: &[u8]) {
        if self.has_records {
            self.refuse("has two blocks of pax records".to_owned());
        }
        self.has_records = true;
        let Some(records) = split(content) else {
            return self.refuse("has pax records that cannot be read".to_owned());
        };
        for (key, value) in records {
            match meaning(key, value) {
                Meaning::Nothing => {}
                Meaning::Path => {
                    let name = self.text(value.to_vec(), "pax path");
                    self.set_path(name);
                }
                Meaning::Link => {
                    let target = self.text(value.to_vec(), "pax linkpath");
                    self.set_link(target);
                }
                Meaning::Size => self.set_size(value),
                Meaning::HoledName => self.shown_name = Some(value.to_vec()),
                Meaning::Refused(problem) => self.refuse(problem),
            }
        }
    }

    fn set_path(&mut self, path: Vec<u8>) {
        if self.path.replace(path).is_some() {
            self.refuse("is named twice, in pax records or long names".to_owned());
        }
    }

    fn set_link(&mut self, target: Vec<u8>) {
        if self.link.replace(target).is_some() {
            self.refuse("has two link targets, in pax records or long names".to_owned());
        }
    }

    fn set_size(&mut self, value: &[u8]) {
        let text = std::str::from_utf8(value).ok();
        let digits =
            text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
        let size = digits.and_then(|digits| digits.parse().ok());
        if size.is_none() || self.size.is_some() {
            self.refuse("has a pax size that is not one number".to_owned());
        }
        self.size = size;
    }

    /// Reads a name as C programs do: NULs at its end are dropped, and none is allowed inside.
    fn text(&mut self, mut content: Vec<u8>, what: &str) -> Vec<u8> {
        while content.last() == Some(&0) {
            content.pop();
        }
        if content.is_empty() || content.contains(&0) {
            self.refuse(format!("has a {what} that is empty or has a NUL character"));
        }
        content
    }

    /// Records a problem; the first one counts.
    fn refuse(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }
}

/// Checks a global block (`g`), which applies to all entries after it: `git archive` writes one with a comment.
/// GNU tar applies such records and libarchive does not.
pub(super) fn check_global(content: &[u8]) -> Result<(), String> {
    let Some(records) = split(content) else {
        return Err("has pax records that cannot be read".to_owned());
    };
    for (key, value) in records {
        match meaning(key, value) {
            Meaning::Nothing => {}
            Meaning::Refused(problem) => return Err(problem),
            _ => {
                let key = String::from_utf8_lossy(key);
                return Err(format!(
                    "sets the pax record '{key}' for all entries; write the archive with tar --format=gnu"
                ));
            }
        }
    }
    Ok(())
}

/// Splits `"{length} {key}={value}\n"`, repeated; `None` for anything else.
fn split(mut content: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !content.is_empty() {
        let space = content.iter().take(7).position(|byte| *byte == b' ')?;
        let digits = std::str::from_utf8(&content[..space]).ok()?;
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let length: usize = digits.parse().ok()?;
        let record = content.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        if equals == 0 {
            return None;
        }
        records.push((&record[..equals], &record[equals + 1..]));
        content = &content[length..];
    }
    Some(records)
}

enum Meaning {
    Nothing,
    Path,
    Link,
    Size,
    /// The name of a sparse file, which is refused.
    HoledName,
    Refused(String),
}

fn meaning(key: &[u8], value: &[u8]) -> Meaning {
    let Ok(key) = std::str::from_utf8(key) else {
        return Meaning::Refused("has a pax record whose name is not UTF-8".to_owned());
    };
    match key {
        "path" => Meaning::Path,
        "linkpath" => Meaning::Link,
        "size" => Meaning::Size,
        "atime" | "ctime" | "mtime" | "uid" | "gid" | "uname" | "gname" | "comment" => Meaning::Nothing,
        // Names are taken as bytes and must be UTF-8.
        "hdrcharset" | "charset" => match value {
            b"BINARY" | b"ISO-IR 10646 2000 UTF-8" => Meaning::Nothing,
            _ => Meaning::Refused(format!(
                "has a '{key}' other than UTF-8; write the archive with UTF-8 names"
            )),
        },
        "GNU.sparse.name" => Meaning::HoledName,
        _ if key.starts_with("GNU.sparse.") || key == "SCHILY.realsize" => {
            Meaning::Refused(format!("is stored with holes ({}); {WITHOUT_HOLES}", short(key)))
        }
        // libarchive takes the file's mode from it.
        _ if key.starts_with("SCHILY.acl.") => Meaning::Refused(
            "has an access control list; write the archive without: bsdtar --no-acls, or tar --no-acls"
                .to_owned(),
        ),
        "SCHILY.fflags"
        | "SCHILY.dev"
        | "SCHILY.ino"
        | "SCHILY.nlink"
        | "SCHILY.devmajor"
        | "SCHILY.devminor"
        | "LIBARCHIVE.creationtime"
        | "LIBARCHIVE.symlinktype" => Meaning::Nothing,
        _ if key.starts_with("SCHILY.xattr.") || key.starts_with("LIBARCHIVE.xattr.") => {
            Meaning::Nothing
        }
        _ if is_reserved(key) => Meaning::Refused(format!(
            "has the pax record '{}', which may change what it means and is not known here; write the \
             archive with tar --format=gnu",
            short(key)
        )),
        // A vendor's own key: no reader applies those.
        _ => Meaning::Nothing,
    }
}

/// Returns whether readers may apply the key: names without capitals are reserved for the standard.
fn is_reserved(key: &str) -> bool {
    ["GNU.", "SCHILY.", "LIBARCHIVE."].iter().any(|vendor| key.starts_with(vendor))
        || !key.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn short(key: &str) -> String {
    super::shorten(&key.escape_debug().to_string())
}

/// Returns the reason why an entry of this type flag is refused.
pub(super) fn refusal(kind: u8) -> String {
    let (what, advice) = match kind {
        b'1' => ("a hard link", "; write the archive with tar --hard-dereference"),
        b'3' | b'4' => ("a device", ""),
        b'6' => ("a named pipe", ""),
        b'S' => return format!("is stored with holes; {WITHOUT_HOLES}"),
        b'V' => ("a label", ""),
        b'M' => ("the rest of another archive's file", ""),
        _ => ("of an unknown kind", ""),
    };
    format!("is {what}; only files, folders and symbolic links can be deployed{advice}")
}
