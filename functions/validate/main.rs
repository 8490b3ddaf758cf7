//! Checks the number of a bank account (an IBAN): takes it as a JSON string, returns whether it is valid, and why not.
//!
//!     functions/validate/build.sh && cloudfunc deploy functions/validate
//!     cloudfunc invoke validate --data '"DE89 3704 0044 0532 0130 00"'
//!
//! It needs no crates: the runtime API of AWS Lambda is four requests of HTTP. A program of more than a page takes the crate
//! `lambda_runtime` (`cloudfunc init NAME --template rust`).

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

fn main() -> io::Result<()> {
    let host = env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let mut api = Api { stream: BufReader::new(TcpStream::connect(&host)?), host };
    loop {
        let (id, event) = api.next()?;
        match answer(&event) {
            Ok(valid) => api.post(&format!("invocation/{id}/response"), &valid)?,
            Err(why) => {
                let error =
                    format!(r#"{{"errorType":"NotAnIban","errorMessage":"{why}","stackTrace":[]}}"#);
                api.post(&format!("invocation/{id}/error"), &error)?;
            }
        }
    }
}

/// Returns the result as JSON; the error is what the caller has sent.
fn answer(event: &str) -> Result<String, &'static str> {
    let text = event.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = text.ok_or("send the number as a JSON string")?;
    Ok(match check(text) {
        Ok(()) => r#"{"valid":true}"#.to_owned(),
        Err(why) => format!(r#"{{"valid":false,"why":"{why}"}}"#),
    })
}

fn check(text: &str) -> Result<(), &'static str> {
    let number: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    if !(15..=34).contains(&number.len()) {
        return Err("it has 15 to 34 letters and digits");
    }
    if !number.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return Err("it has only digits and capital letters");
    }
    // Country and checksum go to the end, a letter counts as 10 to 35, and what is left of a division by 97 is 1.
    let (start, rest) = number.split_at(4);
    let rest_of_97 = rest.iter().chain(start).fold(0, |rest: u32, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    if rest_of_97 == 1 { Ok(()) } else { Err("its checksum is wrong: a digit is mistyped") }
}

/// A connection to the runtime API, which answers each request on it.
struct Api {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Api {
    /// Waits for the next invocation; returns its id and its event.
    fn next(&mut self) -> io::Result<(String, String)> {
        self.send("GET", "invocation/next", "")?;
        let (headers, body) = self.receive()?;
        let id = headers.into_iter().find(|(name, _)| name == "lambda-runtime-aws-request-id");
        let id = id.ok_or_else(|| io::Error::other("an invocation without an id"))?.1;
        Ok((id, String::from_utf8_lossy(&body).into_owned()))
    }

    fn post(&mut self, path: &str, body: &str) -> io::Result<()> {
        self.send("POST", path, body)?;
        self.receive().map(drop)
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        let (host, length) = (&self.host, body.len());
        let request = format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())
    }

    /// Reads an answer: its headers, with their names in lower case, and its body.
    fn receive(&mut self) -> io::Result<(Vec<(String, String)>, Vec<u8>)> {
        let status = self.line()?;
        if !status.starts_with("HTTP/1.1 2") {
            return Err(io::Error::other(status));
        }
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((headers, body))
    }

    /// Reads a line without its end; a connection that ends is an error.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
