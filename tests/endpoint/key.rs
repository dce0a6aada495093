//! The key goes to its server, and is shown nowhere.

use std::sync::Arc;

use menagerie::endpoint::{ApiKey, Endpoint, EndpointConfig};

use super::misbehave::{Behaviour, Received, Server, completion};
use super::{config, once};

const KEY: &str = "sk-test/0123456789";

fn with_key(server: &Server) -> EndpointConfig {
    let mut config = config(server);
    config.key = Some(ApiKey::new(KEY).expect("a key"));
    config.retries = 1;
    config
}

/// What is said of a request that is answered so, in words and in full.
fn said(handler: impl Fn(&Received) -> Behaviour + Send + Sync + 'static) -> String {
    let server = Server::start(handler);
    let outcome = once(with_key(&server));
    let received = server.received();
    assert!(received.iter().all(|request| request.key() == Some(KEY)));
    match outcome {
        Ok(reply) => format!("{reply:?} {}", reply.raw),
        Err(error) => format!("{error:?} {error}"),
    }
}

#[test]
fn a_server_that_repeats_the_key_is_quoted_without_it() {
    let escaped = KEY.replace('/', "\\/");
    let texts = [
        said(|request| Behaviour::echo(400, request)),
        said(|request| Behaviour::echo(401, request)),
        said(|request| Behaviour::echo(500, request)),
        said(|_| Behaviour::status(502, format!("<p>{KEY}</p>"))),
        said(|_| Behaviour::json(&completion(&format!("is it {KEY}?"), None))),
        said(move |_| Behaviour::status(429, format!("{{\"error\": \"no {escaped}\"}}"))),
        said(|_| Behaviour::redirect(302, &format!("http://other.example/{KEY}?k={KEY}"))),
        said(|_| Behaviour::status(200, format!("{{\"choices\": \"{KEY}\"}}"))),
    ];
    for text in texts {
        assert!(!text.contains("0123456789"), "{text}");
    }
    assert!(said(|request| Behaviour::echo(400, request)).contains("[api key]"));
}

#[test]
fn no_redirect_takes_the_key_or_the_request_elsewhere() {
    let other = Arc::new(Server::start(|_| Behaviour::says("give me the key")));
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/chat/completions", other.url());
        let server = Server::start(move |_| Behaviour::redirect(status, &to));
        let error = once(with_key(&server)).expect_err("a redirect").to_string();
        assert!(error.contains(&other.url()), "{error}");
        assert_eq!(server.received().len(), 1);
    }
    assert!(other.received().is_empty());
}

#[test]
fn what_is_printed_of_an_endpoint_has_no_key() {
    let server = Server::start(|_| Behaviour::says("yes"));
    let endpoint = Endpoint::new(with_key(&server)).expect("sound");
    let text = format!("{endpoint:?} {:?}", endpoint.config());
    assert!(!text.contains("0123456789"), "{text}");
    let mut without = config(&server);
    without.retries = 0;
    once(without).expect("a reply");
    assert_eq!(server.received()[0].key(), None);
}
