//! The one reader of archives: entries of a gzipped tar, with their extensions applied.
//!
//! ```text
//! block ─▶ Header ─▶ extension? held for the next entry, at most 64 KiB each
//!                └─▶ entry: name, kind, content as it is read
//! ```
//!
//! Both the check of an archive and the unpacking read it here, so that they cannot see two different archives.
//! Memory is bounded whatever the archive says: a block, and the extensions of one entry.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::{
    Error, MAX_FILES, MAX_UNPACKED,
    extension::{self, Extensions},
    header::{BLOCK, Header},
};

/// The size limit of the tar itself: the files, plus a header and padding for each of up to 20,000 files.
const MAX_TAR: u64 = MAX_UNPACKED + 64 * 1024 * 1024;
/// The limit of headers of any kind, including folders and extensions.
const MAX_HEADERS: usize = 5 * MAX_FILES;

/// An entry that is not an extension.
#[derive(Debug)]
pub(super) struct Member {
    pub name: Vec<u8>,
    pub kind: MemberKind,
    pub size: u64,
}

#[derive(Debug)]
pub(super) enum MemberKind {
    File {
        executable: bool,
    },
    Folder,
    Link {
        target: Vec<u8>,
    },
    /// An entry that is refused, with the reason.
    Refused(String),
}

pub(super) struct Members<'a> {
    stream: io::Take<MultiGzDecoder<&'a [u8]>>,
    headers: usize,
    /// Bytes of the current entry that are left: content that was not read yet, then the padding of its last
    /// block.
    content: u64,
    padding: u64,
}

impl<'a> Members<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let stream = MultiGzDecoder::new(bytes).take(MAX_TAR);
        Self { stream, headers: 0, content: 0, padding: 0 }
    }

    /// Returns the next entry; its content is read from [`Members::content`] or skipped. `None` at the end of
    /// the archive, which was then read to its last byte.
    pub fn next(&mut self) -> Result<Option<Member>, Error> {
        let mut extensions = Extensions::default();
        while let Some(header) = self.header()? {
            match header.kind {
                b'L' => extensions.long_name(self.extension(&header)?),
                b'K' => extensions.long_link(self.extension(&header)?),
                b'x' => {
                    let content = self.extension(&header)?;
                    extensions.records(&content);
                }
                b'g' if extensions.is_empty() => {
                    let content = self.extension(&header)?;
                    let checked = extension::check_global(&content);
                    checked.map_err(|problem| Error::entry_bytes(&header.name, problem))?;
                }
                _ => return member(header, extensions).map(Some),
            }
        }
        if extensions.is_empty() { Ok(None) } else { Err(cut_off()) }
    }

    /// Returns the rest of the current entry's content.
    pub fn content(&mut self) -> impl Read {
        Content(self)
    }

    /// Reads the next block of the archive that begins an entry or extension.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let rest = self.content + self.padding;
        (self.content, self.padding) = (0, 0);
        if io::copy(&mut self.stream.by_ref().take(rest), &mut io::sink()).map_err(Error::Archive)?
            < rest
        {
            return Err(self.too_large_or_cut_off());
        }
        let mut block = [0; BLOCK];
        match self.fill(&mut block)? {
            0 => return Ok(None),
            BLOCK => {}
            _ => return Err(self.too_large_or_cut_off()),
        }
        if block.iter().all(|byte| *byte == 0) {
            return self.end().map(|()| None);
        }
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return Err(Error::TooManyFiles);
        }
        let header =
            Header::parse(&block).map_err(|problem| Error::Header { number: self.headers, problem })?;
        if header.size > MAX_UNPACKED {
            return Err(Error::TooLarge);
        }
        self.content = header.size;
        self.padding = header.size.next_multiple_of(BLOCK as u64) - header.size;
        Ok(Some(header))
    }

    /// Reads the content of an extension.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        if header.size > extension::MAX {
            let problem = "has a name or attributes of more than 64 KiB";
            return Err(Error::entry_bytes(&header.name, problem));
        }
        let mut content = Vec::new();
        self.content().read_to_end(&mut content).map_err(Error::Archive)?;
        Ok(content)
    }

    /// Reads to the end: after a block of zeros only zeros may follow, because other readers would not see
    /// anything else either.
    fn end(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 16 * BLOCK];
        loop {
            let read = self.fill(&mut buffer)?;
            if buffer[..read].iter().any(|byte| *byte != 0) {
                return Err(Error::AfterTheEnd);
            }
            if read < buffer.len() {
                return if self.stream.limit() == 0 { Err(Error::TooLarge) } else { Ok(()) };
            }
        }
    }

    /// Reads until the buffer is full or the stream ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Archive(error)),
            }
        }
        Ok(filled)
    }

    fn too_large_or_cut_off(&self) -> Error {
        if self.stream.limit() == 0 { Error::TooLarge } else { cut_off() }
    }
}

struct Content<'m, 'a>(&'m mut Members<'a>);

impl Read for Content<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.content == 0 || into.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.0.content).map_or(into.len(), |left| left.min(into.len()));
        let read = self.0.stream.read(&mut into[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.content -= read as u64;
        Ok(read)
    }
}

fn cut_off() -> Error {
    Error::Archive(io::ErrorKind::UnexpectedEof.into())
}

/// Combines header and extensions, and refuses combinations that readers understand differently.
fn member(header: Header, extensions: Extensions) -> Result<Member, Error> {
    let Header { name, link, kind, size, executable } = header;
    let name = extensions.path.unwrap_or(name);
    let refuse = |problem: String| {
        Err(Error::entry_bytes(extensions.shown_name.as_deref().unwrap_or(&name), problem))
    };
    if let Some(problem) = extensions.problem {
        return refuse(problem);
    }
    if extensions.shown_name.is_some() {
        return refuse(extension::refusal(b'S'));
    }
    if extensions.size.is_some_and(|other| other != size) {
        return refuse("has a pax size that differs from its header's".to_owned());
    }
    // To GNU tar, a file `a/.` is a folder; to libarchive, it is the file `a`.
    let ends_as_folder = name.ends_with(b"/") || name.ends_with(b"/.");
    let kind = match kind {
        b'5' => MemberKind::Folder,
        b'0' | b'7' if name.ends_with(b"/") && size == 0 => MemberKind::Folder,
        b'0' | b'7' if ends_as_folder => {
            return refuse("is a file whose name ends like a folder's".to_owned());
        }
        b'0' | b'7' => MemberKind::File { executable },
        b'2' if ends_as_folder => return refuse("is a link whose name ends like a folder's".to_owned()),
        b'2' => MemberKind::Link { target: extensions.link.clone().unwrap_or(link) },
        other => MemberKind::Refused(extension::refusal(other)),
    };
    if matches!(kind, MemberKind::Folder | MemberKind::Link { .. }) && size > 0 {
        return refuse("is a folder or link with content".to_owned());
    }
    if extensions.link.is_some() && matches!(kind, MemberKind::Folder | MemberKind::File { .. }) {
        return refuse("has the target of a link and is not one".to_owned());
    }
    Ok(Member { name, kind, size })
}
