//! The program, at the demo's provider. It wants what `npm ci --prefix demo/provider` installs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{net::TcpListener, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Two ports that were free a moment ago.
fn ports() -> [u16; 2] {
    [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap()).map(|listener| listener.local_addr().unwrap().port())
}

/// The demo's provider and its API. They end with the test.
async fn provider([provider, api]: [u16; 2]) -> Child {
    let mut child = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo/provider/server.js"))
        .env("TOKENKEEP_PROVIDER_PORT", provider.to_string())
        .env("TOKENKEEP_API_PORT", api.to_string())
        .env("NODE_NO_WARNINGS", "1")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node");
    // It says so when both listen.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    assert!(line.contains("provider"), "the provider did not start: is it installed?");
    child
}

async fn run(ports: [u16; 2], secret: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tokenkeep-reqwest"))
        .env("ISSUER", format!("http://localhost:{}", ports[0]))
        .env("RESOURCE", format!("http://localhost:{}/", ports[1]))
        .env("CLIENT_SECRET", secret)
        .output()
        .await
        .unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test]
async fn a_server_gets_a_token_of_its_own_by_its_secret_and_by_no_other() {
    let ports = ports();
    let _provider = provider(ports).await;
    let (worked, said) = run(ports, "tokenkeep-server-secret").await;
    assert!(worked && said.starts_with("a token of ") && said.ends_with(" characters for `orders:read`\n"), "{said}");
    let (worked, said) = run(ports, "another-secret").await;
    assert!(!worked && said.contains("invalid_client") && !said.contains("another-secret"), "{said}");
}
