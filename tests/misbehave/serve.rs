//! HTTP/1.1, as much as a chat client needs, and worse.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Behaviour, Received, Shared};

/// Answers the requests of a connection until it ends.
pub(super) fn connection(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, shared)? {
        let behaviour = (shared.handler)(&request);
        if !behave(stream, &behaviour)? {
            break;
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead, shared: &Shared) -> io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length");
    let length = length.and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut attempts = shared.attempts.lock().expect("the attempts");
    let attempt = attempts.entry(body.to_string()).or_default();
    *attempt += 1;
    let attempt = *attempt;
    drop(attempts);
    let mut received = shared.received.lock().expect("the requests");
    let request = Received {
        number: received.len() + 1,
        attempt,
        path,
        headers,
        body,
    };
    received.push(request.clone());
    Ok(Some(request))
}

/// Whether the connection goes on.
fn behave(mut stream: &TcpStream, behaviour: &Behaviour) -> io::Result<bool> {
    match behaviour {
        Behaviour::Answer {
            status,
            headers,
            body,
            length_off_by,
        } => {
            let mut head = format!("HTTP/1.1 {status} Told\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let length = body.len().saturating_add_signed(*length_off_by);
            head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
            // In one piece: a second one would wait until the client acknowledges the first.
            stream.write_all(&[head.as_bytes(), body].concat())?;
            if *length_off_by > 0 {
                until_gone(stream);
            }
            Ok(*length_off_by == 0)
        }
        Behaviour::Hang => {
            until_gone(stream);
            Ok(false)
        }
        Behaviour::CutHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
            Ok(false)
        }
        Behaviour::CutBody(sent, body) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body[..*sent]].concat())?;
            Ok(false)
        }
        Behaviour::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            loop {
                stream.write_all(b"1\r\n \r\n")?;
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Reads what the client still sends, most often nothing, until it leaves.
fn until_gone(mut stream: &TcpStream) {
    let mut bytes = [0; 64];
    while stream.read(&mut bytes).is_ok_and(|len| len > 0) {}
}
