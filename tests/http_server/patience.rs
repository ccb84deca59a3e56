//! Who keeps a connection and does nothing with it: how long, and how many of them there may be.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::frames::{Client, DATA, GOAWAY, HEADERS, NO_ERROR, asking, frame, get, shaken};
use crate::support::{Files, PATIENCE, config, exchange, start, until};

const A_SECOND: Duration = Duration::from_secs(1);

/// With a certificate, and little patience.
fn impatient(files: &Files) -> frontdesk::config::Config {
    let mut config = files.config();
    config.limits.idle_timeout = A_SECOND;
    config
}

#[tokio::test]
async fn row_138_an_idle_connection_of_http_2_is_ended_politely() {
    let files = Files::new();
    files.renew();
    let running = start(&impatient(&files));
    let mut client = Client::greeting(&running, &files, &[]).await;
    client.send(&asking(1, "/")).await;
    let frames = client.end().await;
    assert!(frames.iter().any(|frame| frame.stream == 1 && frame.kind == HEADERS), "it was answered");
    let farewell = frames.iter().find(|frame| frame.kind == GOAWAY).unwrap();
    assert_eq!(farewell.code(), Some(NO_ERROR));
    running.end().await;
}

#[tokio::test]
async fn row_138_a_connection_of_http_2_that_asks_nothing_in_time_is_ended() {
    let files = Files::new();
    files.renew();
    // Long after the time for a head.
    let mut config = files.config();
    config.limits.idle_timeout = PATIENCE * 2;
    let running = start(&config);
    let begun = frame(HEADERS, 0, 1, &get("/"));
    for (name, bytes) in [("nothing", Vec::new()), ("half a head", begun), ("half a frame", vec![0, 0, 9, 1])] {
        let mut client = Client::greeting(&running, &files, &[]).await;
        client.send(&bytes).await;
        let frames = client.end().await;
        assert!(frames.iter().all(|frame| frame.stream == 0), "{name}: {frames:?}");
    }
    running.end().await;
}

#[tokio::test]
async fn row_138_who_does_not_read_his_answers_is_ended() {
    let files = Files::new();
    files.renew();
    let running = start(&impatient(&files));
    // He reads frames, but lets no data come: a window of 0 for each stream.
    let no_window = [0, 4, 0, 0, 0, 0];
    let mut client = Client::greeting(&running, &files, &no_window).await;
    let asked: Vec<u8> = (0..20).flat_map(|at| asking(2 * at + 1, "/large")).collect();
    client.send(&asked).await;
    until(async || running.gauge.most() == 20).await;
    client.end().await;
    until(async || running.gauge.now() == 0).await;

    // He does not read at all.
    let (from, mut to) = shaken(&running, &files, &[]).await;
    to.write_all(&[frame(8, 0, 0, &[0x7f, 0, 0, 0]), asking(1, "/large")].concat()).await.unwrap();
    to.flush().await.unwrap();
    until(async || running.gauge.now() == 1).await;
    until(async || running.gauge.now() == 0).await;
    drop((from, to));
    running.end().await;
}

#[tokio::test]
async fn row_138_who_does_not_read_his_answer_in_plain_text_is_ended() {
    let mut config = config();
    config.limits.idle_timeout = A_SECOND;
    let running = start(&config);
    let mut stalled = TcpStream::connect(running.address()).await.unwrap();
    stalled.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(async || running.gauge.now() == 1).await;
    until(async || running.gauge.now() == 0).await;
    // Whoever reads gets all of it, and longer than that.
    let mut reading = TcpStream::connect(running.address()).await.unwrap();
    reading.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, reading.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.len() > 16 << 20);
    running.end().await;
}

#[tokio::test]
async fn row_138_more_connections_than_allowed_wait_and_none_waits_for_ever() {
    let mut config = config();
    config.limits.connections = 32;
    let running = start(&config);
    let mut idle = Vec::new();
    for at in 0..128 {
        let mut one = TcpStream::connect(running.address()).await.unwrap();
        // Some say nothing, some begin, and some have been answered.
        let words = ["", "GET / HTTP/1.1\r\nho", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"][at % 3];
        one.write_all(words.as_bytes()).await.unwrap();
        idle.push(one);
    }
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(exchange(running.address(), request).await.contains("hello"));
    let mut answered = 0;
    for mut one in idle {
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, one.read_to_end(&mut answer)).await.expect("it was kept");
        answered += usize::from(answer.ends_with(b"hello"));
    }
    assert_eq!(answered, 42);
    running.end().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_waits_for_a_place() {
    let mut config = config();
    config.limits.connections = 1;
    let running = start(&config);
    let request = "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";
    let hanging = tokio::spawn(exchange(running.address(), request));
    running.entered.notified().await;
    let mut waiting = TcpStream::connect(running.address()).await.unwrap();
    waiting.write_all(request.as_bytes()).await.unwrap();
    running.stop.cancel();
    let release = running.release.clone();
    let stopping = tokio::spawn(running.end());
    // The one that waits is let go, and the one that is served is answered.
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, waiting.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty());
    release.notify_one();
    assert!(hanging.await.unwrap().contains("finished"));
    stopping.await.unwrap();
}

#[tokio::test]
async fn row_138_a_handshake_that_does_not_come_is_not_waited_for() {
    let files = Files::new();
    files.renew();
    let running = start(&files.config());
    // Nothing, and the beginning of a record that announces more.
    for words in [&[][..], &[22, 3, 1, 2, 0, 1]] {
        let mut silent = TcpStream::connect(running.address()).await.unwrap();
        silent.write_all(words).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut answer)).await.expect("it was kept");
    }
    running.end().await;
}

#[tokio::test]
async fn a_stop_lets_a_request_of_http_2_finish() {
    let files = Files::new();
    files.renew();
    let running = start(&files.config());
    let mut client = Client::greeting(&running, &files, &[]).await;
    client.send(&asking(1, "/slow")).await;
    running.entered.notified().await;
    running.stop.cancel();
    until(async || TcpStream::connect(running.address()).await.is_err()).await;
    running.release.notify_one();
    let frames = client.end().await;
    assert!(frames.iter().any(|frame| frame.stream == 1 && frame.kind == DATA && frame.payload == b"finished"));
    assert!(frames.iter().any(|frame| frame.kind == GOAWAY && frame.code() == Some(NO_ERROR)));
    running.end().await;
}

/// As a telephone that sleeps: it was answered, and now does not say a word, not even to a ping.
#[tokio::test]
async fn a_stop_does_not_wait_for_who_is_silent() {
    let files = Files::new();
    files.renew();
    let mut config = files.config();
    config.limits.graceful_stop = PATIENCE * 2;
    let running = start(&config);
    let mut client = Client::greeting(&running, &files, &[]).await;
    client.send(&asking(1, "/slow")).await;
    running.entered.notified().await;
    running.release.notify_one();
    running.end().await;
    let frames = client.end().await;
    assert!(frames.iter().any(|frame| frame.stream == 1 && frame.kind == DATA));
}
