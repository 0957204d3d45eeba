//! Just enough HTTP/1.1 to serve, to forward and to write down what was asked: one request per connection.

use std::{
    future::Future,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Given, but never heard: the connection ends.
    pub(crate) is_lost: bool,
}

/// What was asked, and what was answered once it was.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) response: Option<Response>,
}

impl Request {
    /// A request for a server of this machine: geckodriver answers only who names its port.
    pub(crate) fn get(target: &str, port: u16) -> Self {
        let headers = vec![("host".to_owned(), format!("localhost:{port}"))];
        Self { method: "GET".to_owned(), target: target.to_owned(), headers, body: Vec::new() }
    }

    pub(crate) fn post(target: &str, port: u16, json: &Value) -> Self {
        let body = json.to_string().into_bytes();
        let mut request = Self { method: "POST".to_owned(), body, ..Self::get(target, port) };
        let length = request.body.len().to_string();
        request.headers.extend([("content-type".to_owned(), "application/json".to_owned()), ("content-length".to_owned(), length)]);
        request
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.target.split_once('?').and_then(|(_, query)| parameter(query.as_bytes(), name))
    }

    pub(crate) fn form(&self, name: &str) -> Option<String> {
        parameter(&self.body, name)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Sends this to a port of this machine.
    pub(crate) async fn send_to(&self, port: u16) -> io::Result<Response> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let headers = self.headers.iter().filter(|(name, _)| name != "connection");
        let head = head(&format!("{} {} HTTP/1.1", self.method, self.target), headers);
        stream.write_all(&[head.as_bytes(), &self.body].concat()).await?;

        // A driver may keep the connection open although it is asked not to.
        let mut bytes = Vec::new();
        let (end, status, headers) = loop {
            let is_over = stream.read_buf(&mut bytes).await? == 0;
            let Some(end) = end_of_head(&bytes) else {
                if is_over {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            };
            let (first, headers) = read_head(&bytes[..end]);
            let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
            let length = header(&headers, "content-length").and_then(|length| length.parse::<usize>().ok());
            if is_over || matches!(status, 204 | 304) || length.is_some_and(|length| bytes.len() >= end + length) {
                break (end, status, headers);
            }
        };
        let chunked = header(&headers, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let body = if chunked { unchunk(&bytes[end..]) } else { bytes[end..].to_vec() };
        Ok(Response { status, headers, body, is_lost: false })
    }
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }.with("content-type", content_type)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    async fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let ours = ["connection", "content-length", "keep-alive", "transfer-encoding"];
        let length = ("content-length".to_owned(), self.body.len().to_string());
        let headers = self.headers.iter().filter(|(name, _)| !ours.contains(&name.as_str()));
        // Neither 204 nor 304 has a body, nor a length.
        let length = (!matches!(self.status, 204 | 304)).then_some(&length);
        let head = head(&format!("HTTP/1.1 {} .", self.status), headers.chain(length));
        stream.write_all(&[head.as_bytes(), &self.body].concat()).await?;
        stream.shutdown().await
    }
}

/// All that a server was asked, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Exchange>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<Exchange> {
        self.0.lock().unwrap().clone()
    }

    /// The exchanges with this method at this path.
    pub(crate) fn of(&self, method: &str, path: &str) -> Vec<Exchange> {
        self.all().into_iter().filter(|exchange| exchange.request.method == method && exchange.request.path() == path).collect()
    }

    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.of(method, path).len()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn open(&self, request: Request) -> usize {
        let mut log = self.0.lock().unwrap();
        log.push(Exchange { request, response: None });
        log.len() - 1
    }

    fn close(&self, index: usize, response: Response) {
        self.0.lock().unwrap()[index].response = Some(response);
    }
}

/// A server at a port of this machine. Stops listening when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens at this port, or at any free one for 0. Who answers nothing hangs up.
    pub(crate) async fn start<F>(port: u16, log: Log, answer: impl Fn(Request) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Option<Response>> + Send,
    {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port to listen at");
        let port = listener.local_addr().expect("an address").port();
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    // A browser opens connections that it may not use.
                    let Ok(Ok(Some(request))) = timeout(PATIENCE, read_request(&mut stream)).await else { return };
                    let index = log.open(request.clone());
                    if let Some(response) = answer(request).await {
                        log.close(index, response.clone());
                        if !response.is_lost {
                            // A page that was left does not wait for its answers.
                            let _ = response.write(&mut stream).await;
                        }
                    }
                });
            }
        });
        Self { port, accepting }
    }

    /// Has stopped listening when this is over.
    pub(crate) async fn stop(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
const MAX_REQUEST: usize = 1 << 20;

async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = end_of_head(&bytes) {
            break end;
        }
        if bytes.len() > MAX_REQUEST || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let (first, headers) = read_head(&bytes[..end]);
    let length = header(&headers, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if bytes.len() > MAX_REQUEST || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    Ok(Some(Request { method, target, headers, body: bytes[end..].to_vec() }))
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn read_head(bytes: &[u8]) -> (String, Vec<(String, String)>) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    (first, headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect())
}

fn head<'a>(first: &str, headers: impl Iterator<Item = &'a (String, String)>) -> String {
    let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{headers}connection: close\r\n\r\n")
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn parameter(bytes: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(bytes).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..line]).ok().and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).unwrap_or(0);
        if size == 0 {
            break;
        }
        body.extend_from_slice(&bytes[line + 2..line + 2 + size]);
        bytes = &bytes[line + 2 + size + 2..];
    }
    body
}
