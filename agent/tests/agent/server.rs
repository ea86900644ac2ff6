//! A web server as small and as ill-behaved as a test wants it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The answer to a request.
pub(crate) enum Reply {
    /// 200 with a body.
    Ok(Vec<u8>),
    /// 200 with a Content-Encoding and a body.
    Encoded(&'static str, Vec<u8>),
    /// A status with lines of the head.
    Refusal(u16, &'static str),
    /// A status without a body.
    Status(u16),
    /// 200 that promises more than comes.
    Half(Vec<u8>),
    /// 200 with as many bytes as asked for.
    Many(u64),
    /// 200 with bytes that nobody counted, for as long as somebody listens.
    Endless,
    /// 200 with one byte a second.
    Drip(Vec<u8>),
    /// Nothing, for as long as somebody listens.
    Silence,
    /// Another place to look.
    Redirect(String),
}

/// A request.
pub(crate) struct Request {
    /// GET or another.
    pub(crate) verb: String,
    /// The path behind the server's address.
    pub(crate) path: String,
    /// The other lines.
    pub(crate) headers: Vec<String>,
    /// The body behind them.
    pub(crate) body: String,
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named =
            |line: &&String| line.split_once(':').is_some_and(|(own, _)| own.eq_ignore_ascii_case(name));
        self.headers.iter().find(named).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }
}

/// Runs until the test process ends.
pub(crate) struct Server {
    scheme: &'static str,
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers a path, asked for the n-th time (from 1).
    pub(crate) fn new(answer: impl Fn(&str, usize) -> Reply + Send + 'static) -> Self {
        Self::run("http", move |request, count| answer(&request.path, count), |stream| stream)
    }

    /// Answers a request, of which only the path is counted.
    pub(crate) fn of_requests(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        Self::run("http", move |request, _| answer(request), |stream| stream)
    }

    /// The same over https.
    pub(crate) fn over_https(
        authority: &Authority,
        answer: impl Fn(&str, usize) -> Reply + Send + 'static,
    ) -> Self {
        let config = authority.server();
        Self::run(
            "https",
            move |request, count| answer(&request.path, count),
            move |stream| StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream),
        )
    }

    fn run<S: Read + Write + Send + 'static>(
        scheme: &'static str,
        answer: impl Fn(&Request, usize) -> Reply + Send + 'static,
        wrap: impl Fn(TcpStream) -> S + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let answer = Arc::new(Mutex::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (mut stream, log, answer) = (wrap(stream), Arc::clone(&log), Arc::clone(&answer));
                // Each on its own: one that drips must not hold up the next.
                thread::spawn(move || {
                    let Some(request) = request(&mut stream) else { return };
                    let count = {
                        let mut log = log.lock().unwrap();
                        log.push(request.path.clone());
                        log.iter().filter(|asked| **asked == request.path).count()
                    };
                    let told = answer.lock().unwrap()(&request, count);
                    // A client that hangs up early is part of the tests.
                    let _gone = reply(&mut stream, &told).is_err();
                });
            }
        });
        Self { scheme, address, asked }
    }

    /// Serves fixed user-data and meta-data.
    pub(crate) fn with_seed(user_data: &str, meta_data: &str) -> Self {
        let (user_data, meta_data) = (user_data.as_bytes().to_vec(), meta_data.as_bytes().to_vec());
        Self::new(move |path, _| match path {
            "/user-data" => Reply::Ok(user_data.clone()),
            "/meta-data" => Reply::Ok(meta_data.clone()),
            _ => Reply::Status(404),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The hand-off that names this server.
    pub(crate) fn hand_off(&self) -> String {
        format!("SOURCE=nocloud\nSEED_FROM={}\n", self.url("/"))
    }

    /// The number of requests for a path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }
}

/// A certificate authority of a test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// The content that /etc/ssl/certs/ca-certificates.crt has to have.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    fn server(&self) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        Arc::new(config.unwrap())
    }
}

fn request(stream: &mut impl Read) -> Option<Request> {
    let mut stream = BufReader::new(stream);
    let mut lines = stream.by_ref().lines();
    let first = lines.next()?.ok()?;
    let mut headers = Vec::new();
    loop {
        let line = lines.next()?.ok()?;
        if line.is_empty() {
            break;
        }
        headers.push(line);
    }
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request { verb: words.next()?, path: words.next()?, headers, body: String::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}

fn reply(stream: &mut (impl Read + Write), reply: &Reply) -> std::io::Result<()> {
    let head = |status: u16, more: String| format!("HTTP/1.1 {status} x\r\nConnection: close\r\n{more}\r\n");
    let length = |length: u64| format!("Content-Length: {length}\r\n");
    match reply {
        Reply::Ok(body) => {
            stream.write_all(head(200, length(body.len() as u64)).as_bytes())?;
            stream.write_all(body)
        }
        Reply::Encoded(encoding, body) => {
            let encoding = format!("Content-Encoding: {encoding}\r\n{}", length(body.len() as u64));
            stream.write_all(head(200, encoding).as_bytes())?;
            stream.write_all(body)
        }
        Reply::Refusal(status, lines) => {
            stream.write_all(head(*status, format!("{lines}\r\n{}", length(0))).as_bytes())
        }
        Reply::Status(status) => stream.write_all(head(*status, length(0)).as_bytes()),
        Reply::Half(body) => {
            stream.write_all(head(200, length(body.len() as u64 * 2)).as_bytes())?;
            stream.write_all(body)
        }
        Reply::Many(count) => {
            stream.write_all(head(200, length(*count)).as_bytes())?;
            let block = vec![b'x'; 1 << 16];
            for _ in 0..count / block.len() as u64 {
                stream.write_all(&block)?;
            }
            Ok(())
        }
        Reply::Endless => {
            stream.write_all(head(200, String::new()).as_bytes())?;
            let block = vec![b'x'; 1 << 16];
            loop {
                stream.write_all(&block)?;
            }
        }
        Reply::Drip(body) => {
            stream.write_all(head(200, length(body.len() as u64)).as_bytes())?;
            for byte in body {
                stream.write_all(&[*byte])?;
                stream.flush()?;
                thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        }
        // Until the other side hangs up.
        Reply::Silence => stream.read(&mut [0]).map(drop),
        Reply::Redirect(url) => {
            stream.write_all(head(302, format!("Location: {url}\r\n{}", length(0))).as_bytes())
        }
    }
}
