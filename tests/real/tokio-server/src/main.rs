// A tokio server that answers one client of its own and then ends as the first argument says:
// "return" (the server future resolves), "exit" (a worker calls process::exit), "panic", "abort".
// SPDX-License-Identifier: MIT
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn serve(listener: TcpListener) {
    let (mut client, _) = listener.accept().await.expect("accept");
    let mut request = [0u8; 64];
    let n = client.read(&mut request).await.expect("read");
    client.write_all(b"served ").await.expect("write");
    client.write_all(&request[..n]).await.expect("write");
}

#[inline(never)]
fn leave_here() {
    std::process::exit(0);
}

async fn ask(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let mut answer = String::new();
    stream.write_all(b"health check").await.expect("write");
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}

// On a worker thread, as a task of the program would do it.
async fn end(how: String) {
    match how.as_str() {
        "exit" => leave_here(),
        "abort" => std::process::abort(),
        _ => (),
    }
}

async fn run(how: String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let client = tokio::spawn(async move {
        println!("{}", ask(address).await);
    });
    serve(listener).await;
    client.await.expect("client");
    tokio::spawn(end(how)).await.expect("end");
}

fn main() {
    let how = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime");
    runtime.block_on(run(how.clone()));
    if how == "panic" {
        panic!("on purpose");
    }
}
