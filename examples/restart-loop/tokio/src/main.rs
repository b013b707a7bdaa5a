// A server that answers its health check and later ends without a word.
//
//   server HOW [ADDRESS]     HOW says what ends it; ADDRESS is 127.0.0.1 with a free port unless given
//
//   serve     SIGTERM, handled: a graceful end
//   dropped   the other branch of a select! is done after 1.2 s, so the server's future is dropped
//   stdin     end of file on stdin: nobody is there to give commands
//   return    the same as dropped, at once
//   exit      a worker thread calls process::exit(0)
//   panic     main panics
//   abort     a worker thread aborts
//
// SPDX-License-Identifier: MIT
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{signal, SignalKind};

async fn answer(mut client: TcpStream) -> std::io::Result<()> {
    let mut request = [0u8; 512];
    let n = client.read(&mut request).await?;
    let status = if request[..n].starts_with(b"GET /health ") {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let text = format!("HTTP/1.0 {}\r\nContent-Length: 0\r\n\r\n", status);
    client.write_all(text.as_bytes()).await
}

async fn serve(listener: TcpListener) {
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(answer(client));
        }
    }
}

// The health check of an orchestrator, done by the program itself so that the case needs no other.
async fn check_health(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut text = String::new();
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await?;
    stream.read_to_string(&mut text).await?;
    println!("health check: {}", text.lines().next().unwrap_or(""));
    Ok(())
}

async fn take_commands() {
    let mut bytes = [0u8; 512];
    while let Ok(n) = tokio::io::stdin().read(&mut bytes).await {
        if n == 0 {
            break;
        }
    }
}

#[inline(never)]
fn leave_here() {
    std::process::exit(0);
}

// On a worker thread, as a task of the program would do it.
async fn leave(how: String) {
    match how.as_str() {
        "exit" => leave_here(),
        "abort" => std::process::abort(),
        _ => (),
    }
}

async fn wait_for_the_end(port: u16, how: String) {
    let mut term = match how.as_str() {
        "serve" => Some(signal(SignalKind::terminate()).expect("SIGTERM")),
        _ => None,
    };
    check_health(port).await.expect("health check");
    match how.as_str() {
        "serve" => drop(term.as_mut().expect("set above").recv().await),
        "dropped" => tokio::time::sleep(Duration::from_millis(1200)).await,
        "stdin" => take_commands().await,
        _ => tokio::spawn(leave(how)).await.expect("leave"),
    }
}

async fn run(how: String, address: SocketAddr) {
    let listener = TcpListener::bind(address).await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    // Whichever branch is done first drops the other: here the server goes, and main returns.
    tokio::select! {
        _ = serve(listener) => (),
        _ = wait_for_the_end(port, how) => (),
    }
}

fn main() {
    let how = std::env::args().nth(1).unwrap_or_else(|| "serve".to_string());
    let address = std::env::args().nth(2).unwrap_or_else(|| "127.0.0.1:0".to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime");
    runtime.block_on(run(how.clone(), address.parse().expect("ADDRESS is IP:PORT")));
    if how == "panic" {
        panic!("on purpose");
    }
}
