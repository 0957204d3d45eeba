//! A server's own token, and a user who signs in: at the demo's provider, or at yours.
//!
//! ```sh
//! npm start --prefix demo/provider &
//! cargo run -p tokenkeep-reqwest              # a token of the server's own
//! cargo run -p tokenkeep-reqwest -- sign-in   # prints where to sign in, and waits at the redirect URI
//! ```
//!
//! `ISSUER`, `CLIENT_ID`, `CLIENT_SECRET`, `REDIRECT_URI`, `RESOURCE` and `SCOPES` are those of your provider.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{env, error::Error};

use tokenkeep::{
    SignIn,
    confidential::{Authentication, Client, Config, Ring},
    protocol::{HttpUrl, Secret, grant::Target},
};
use tokenkeep_reqwest::{Network, open};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = Secret::new(setting("CLIENT_SECRET", "tokenkeep-server-secret"));
    let redirect_uri = setting("REDIRECT_URI", "http://127.0.0.1:8080/callback");
    let resource = setting("RESOURCE", "http://localhost:9500/");
    let config = Config::new(
        setting("ISSUER", "http://localhost:9400"),
        setting("CLIENT_ID", "tokenkeep-server"),
        Authentication::ClientSecretBasic(secret),
    )
    .redirect_uri(&redirect_uri)
    .resource(&resource)
    .scopes(setting("SCOPES", "openid profile email orders:read"));
    let client = open(config, Network::new()?)?;

    if env::args().nth(1).as_deref() == Some("sign-in") {
        return sign_in(&client, &redirect_uri).await;
    }
    let target = Target::default().scope("orders:read").resource(resource);
    let token = client.client_credentials(&target).await?;
    println!("a token of {} characters for `{}`", token.token.expose().len(), token.scope);
    Ok(())
}

/// The least of a web server: one sign-in, one callback. A real one has a session for each browser, and takes `pending` out of that.
async fn sign_in(client: &Client<Network, Ring>, redirect_uri: &str) -> Result<(), Box<dyn Error>> {
    let place = HttpUrl::parse(redirect_uri).map_err(|_| "the redirect URI is no URL")?;
    let listener = TcpListener::bind(place.canonical_origin().trim_start_matches("http://")).await?;
    let begun = client.authorize(SignIn::default()).await?;
    println!("sign in at {}", begun.url.expose());
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut request = String::new();
        BufReader::new(&mut stream).read_line(&mut request).await?;
        let path = request.split(' ').nth(1).unwrap_or_default();
        // A browser asks for a picture too.
        let is_callback = path.split('?').next() == Some(place.path());
        let outcome = if is_callback { Some(client.redeem(path, &begun.pending).await) } else { None };
        let (status, said) = match &outcome {
            None => ("404 Not Found", "There is nothing here.".to_owned()),
            Some(Err(error)) => ("400 Bad Request", error.to_string()),
            Some(Ok(_)) => ("200 OK", "You are signed in. Close this page.".to_owned()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n", said.len());
        stream.write_all(format!("{head}Connection: close\r\nReferrer-Policy: no-referrer\r\n\r\n{said}").as_bytes()).await?;
        if let Some(outcome) = outcome {
            let name = outcome?.tokens.claims.map(|claims| claims.display_name().to_owned());
            println!("signed in: {}", name.unwrap_or_default());
            return Ok(());
        }
    }
}
