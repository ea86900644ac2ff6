//! Serves a seed to a guest over HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// The host, as a guest on qemu's user network sees it.
pub const HOST: &str = "10.0.2.2";

/// A guest that sends nothing does not hold up the next one longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

type Files = BTreeMap<String, Vec<u8>>;

/// A server on this machine's loopback, until it is dropped.
#[derive(Debug)]
pub struct SeedServer {
    address: SocketAddr,
    asked_for: Arc<Mutex<Vec<String>>>,
    stop: Arc<Mutex<Stop>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Stop {
    No,
    Yes,
}

impl SeedServer {
    /// Serves these files, by their names.
    pub fn new(files: &[(&str, &str)]) -> Result<Self> {
        let owned = |(name, content): &(&str, &str)| ((*name).to_owned(), content.as_bytes().to_vec());
        Self::serve(files.iter().map(owned).collect())
    }

    /// Serves the files of a folder, as they are now.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        let mut files = Files::new();
        let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("read {}", folder.display()))?.path();
            if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|name| name.to_str())) {
                let content = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
                files.insert(name.to_owned(), content);
            }
        }
        Self::serve(files)
    }

    /// The URL that a guest finds the files below.
    pub fn url(&self) -> String {
        format!("http://{HOST}:{}/", self.address.port())
    }

    /// The names that were asked for so far.
    pub fn asked_for(&self) -> Vec<String> {
        self.asked_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(files: Files) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen for guests")?;
        let address = listener.local_addr().context("ask for our own port")?;
        let asked_for = Arc::<Mutex<Vec<String>>>::default();
        let stop = Arc::new(Mutex::new(Stop::No));
        let (record, stopped) = (Arc::clone(&asked_for), Arc::clone(&stop));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if *stopped.lock().unwrap_or_else(PoisonError::into_inner) == Stop::Yes {
                    break;
                }
                // A guest that hangs up is not our failure: it asks again, or its test fails.
                drop(stream.map(|stream| answer(stream, &files, &record)));
            }
        });
        Ok(Self { address, asked_for, stop })
    }
}

impl Drop for SeedServer {
    fn drop(&mut self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Stop::Yes;
        // Only to wake the thread.
        drop(TcpStream::connect(self.address));
    }
}

fn answer(stream: TcpStream, files: &Files, record: &Mutex<Vec<String>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 0 && !header.trim().is_empty() {
        header.clear();
    }
    let name = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    record.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    let (status, content) = match files.get(name) {
        Some(content) => ("200 OK", content.as_slice()),
        None => ("404 Not Found", &b"not here\n"[..]),
    };
    let stream = reader.get_mut();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())?;
    stream.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn get(server: &SeedServer, name: &str) -> String {
        let mut stream = TcpStream::connect(server.address).unwrap();
        write!(stream, "GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_are_served_by_name_and_others_are_not_there() {
        let server = SeedServer::new(&[("user-data", "#!/bin/sh\n")]).unwrap();
        let answer = get(&server, "user-data");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n#!/bin/sh\n"),
            "{answer}"
        );
        assert!(get(&server, "vendor-data").starts_with("HTTP/1.1 404 "));
        assert_eq!(server.asked_for(), ["user-data", "vendor-data"]);
        assert_eq!(server.url(), format!("http://10.0.2.2:{}/", server.address.port()));
    }
}
