//! What a client of HTTP/2 may try (RFC 9113 §10.5): its connection ends, memory stays as it is, and others are answered.

use std::time::Duration;

use frontdesk::config::Config;

use crate::frames::{
    CONTINUATION, Client, DATA, END_STREAM, ENHANCE_YOUR_CALM, Frame, GOAWAY, HEADERS, PING, PRIORITY, REFUSED_STREAM,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, asking, frame, get, head, header, length,
};
use crate::support::{Files, Running, start, until};

/// Streams that one connection may have open.
const STREAMS: usize = 128;
/// So often an attack is repeated on one connection.
const MANY: u32 = 10_000;

/// A running server, its certificate, and somebody honest.
struct House {
    running: Running,
    files: Files,
    honest: reqwest::Client,
    memory: usize,
}

impl House {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Where an attack is over, but nobody closes.
    async fn impatient() -> Self {
        Self::with(|config| config.limits.idle_timeout = Duration::from_secs(1)).await
    }

    async fn with(set: impl FnOnce(&mut Config)) -> Self {
        let files = Files::new();
        let honest = files.renew();
        let mut config = files.config();
        set(&mut config);
        let mut house = Self { running: start(&config), files, honest, memory: 0 };
        house.answers().await;
        house.memory = resident();
        house
    }

    async fn client(&self) -> Client {
        Client::greeting(&self.running, &self.files, &[]).await
    }

    async fn answers(&self) {
        let url = format!("https://localhost:{}/", self.running.address().port());
        let response = self.honest.get(url).send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        assert_eq!(response.text().await.unwrap(), "hello");
    }

    /// Nothing is left of an attack.
    async fn ends_unharmed(self) {
        until(async || self.running.gauge.now() == 0).await;
        self.answers().await;
        let grown = resident().saturating_sub(self.memory);
        assert!(grown < 64 << 20, "{grown} bytes more");
        self.running.end().await;
    }
}

/// Bytes of memory this process has. Elsewhere than on Linux nobody looks.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).map_or(0, |pages| pages.parse::<usize>().unwrap() * 4_096)
}

/// With which code the server took leave.
fn farewell(frames: &[Frame]) -> Option<u32> {
    frames.iter().rev().find(|frame| frame.kind == GOAWAY).and_then(Frame::code)
}

/// The streams of a client.
fn streams() -> impl Iterator<Item = u32> {
    (0..MANY).map(|at| 2 * at + 1)
}

#[tokio::test]
async fn row_138_rapid_reset_ends_the_connection() {
    let house = House::new().await;
    let mut client = house.client().await;
    let cancel = 8_u32.to_be_bytes();
    let attack: Vec<u8> =
        streams().flat_map(|own| [asking(own, "/held"), frame(RST_STREAM, 0, own, &cancel)].concat()).collect();
    client.send(&attack).await;
    assert_eq!(farewell(&client.end().await), Some(ENHANCE_YOUR_CALM));
    assert!(house.running.gauge.most() <= STREAMS);
    house.ends_unharmed().await;
}

#[tokio::test]
async fn row_138_who_makes_the_server_reset_is_ended_as_well() {
    // What h2 answers with RST_STREAM or GOAWAY; each is one way to be rid of a stream while the server still works on it.
    let most = 0x7fff_ffff_u32.to_be_bytes();
    type Provocation = fn(u32, &[u8; 4]) -> Vec<u8>;
    let provocations: [(&str, Provocation); 7] = [
        ("a window of 0", |own, _| frame(WINDOW_UPDATE, 0, own, &[0; 4])),
        ("a window too large", |own, most| frame(WINDOW_UPDATE, 0, own, most)),
        ("a window of wrong size", |own, _| frame(WINDOW_UPDATE, 0, own, &[0; 3])),
        ("data after the end", |own, _| frame(DATA, 0, own, b"more")),
        ("headers after the end", |own, _| asking(own, "/held")),
        ("a stream that waits for itself", |own, _| {
            frame(PRIORITY, 0, own, &[own.to_be_bytes().as_slice(), &[0]].concat())
        }),
        ("a priority of wrong size", |own, _| frame(PRIORITY, 0, own, &[0; 4])),
    ];
    for (name, provoke) in provocations {
        let house = House::new().await;
        let mut client = house.client().await;
        for own in streams() {
            client.send(&[asking(own, "/held"), provoke(own, &most)].concat()).await;
        }
        let frames = client.end().await;
        assert!(farewell(&frames).is_some_and(|code| code != 0), "{name}: {frames:?}");
        let resets = frames.iter().filter(|frame| frame.kind == RST_STREAM).count();
        assert!(resets <= 2 * STREAMS, "{name}: {resets} resets");
        assert!(house.running.gauge.most() <= 2 * STREAMS, "{name}: {}", house.running.gauge.most());
        house.ends_unharmed().await;
    }
}

#[tokio::test]
async fn row_138_more_streams_than_allowed_are_refused() {
    let house = House::with(|config| config.limits.graceful_stop = Duration::from_secs(1)).await;
    let mut client = house.client().await;
    let asked: Vec<u8> = streams().take(STREAMS).flat_map(|own| asking(own, "/held")).collect();
    client.send(&asked).await;
    until(async || house.running.gauge.now() == STREAMS).await;
    let more: Vec<u8> = streams().skip(STREAMS).take(20).flat_map(|own| asking(own, "/held")).collect();
    client.send(&more).await;
    house.running.stop.cancel();
    let frames = client.end().await;
    let refused = frames.iter().filter(|frame| frame.code() == Some(REFUSED_STREAM)).count();
    assert_eq!((refused, house.running.gauge.most()), (20, STREAMS));
    house.running.end().await;
}

#[tokio::test]
async fn row_138_a_head_without_an_end_ends_the_connection() {
    let long = header("x", &"y".repeat(1_000));
    for part in [long, Vec::new(), header("x", "")] {
        let house = House::new().await;
        let mut client = house.client().await;
        client.send(&frame(HEADERS, END_STREAM, 1, &get("/held"))).await;
        let attack: Vec<u8> = streams().flat_map(|_| frame(CONTINUATION, 0, 1, &part)).collect();
        client.send(&attack).await;
        assert_eq!(farewell(&client.end().await), Some(ENHANCE_YOUR_CALM), "{} bytes", part.len());
        assert_eq!(house.running.gauge.most(), 0);
        house.ends_unharmed().await;
    }
}

#[tokio::test]
async fn row_138_a_head_that_is_too_large_reaches_no_handler() {
    let many: Vec<u8> = (0..1_000).flat_map(|at| header(&format!("x-{at}"), "y")).collect();
    for block in [many, header("x", &"y".repeat(40_000))] {
        let house = House::impatient().await;
        let mut client = house.client().await;
        client.send(&head(1, &[get("/held"), block].concat())).await;
        client.send(&asking(3, "/")).await;
        let frames = client.end().await;
        let of = |stream: u32| frames.iter().find(|frame| frame.stream == stream && frame.kind == HEADERS);
        // `:status` as h2 writes it: 431 and, for the connection goes on, 200.
        assert!(of(1).is_some_and(|frame| frame.payload.starts_with(&[0x48, 0x83, 0x69, 0x90, 0xff])), "{frames:?}");
        assert!(of(3).is_some_and(|frame| frame.payload.starts_with(&[0x88])), "{frames:?}");
        assert_eq!(house.running.gauge.most(), 0);
        house.ends_unharmed().await;
    }
}

#[tokio::test]
async fn row_138_a_head_that_grows_when_it_is_read_ends_the_connection() {
    // Small on the wire: one long value, and after it one byte for each time it is named again.
    let mut bomb = vec![0x40, 1, b'x'];
    length(&mut bomb, 3_000);
    bomb.extend(vec![b'y'; 3_000]);
    bomb.extend(vec![0xbe; 60_000]);
    let house = House::new().await;
    let mut client = house.client().await;
    client.send(&head(1, &[get("/held"), bomb].concat())).await;
    assert_eq!(farewell(&client.end().await), Some(ENHANCE_YOUR_CALM));
    assert_eq!(house.running.gauge.most(), 0);
    house.ends_unharmed().await;
}

#[tokio::test]
async fn row_138_frames_that_ask_for_nothing_cost_nothing() {
    let one_setting = [0, 3, 0, 0, 0, 100];
    for (name, flood) in [
        ("pings", frame(PING, 0, 0, b"12345678")),
        ("settings", frame(SETTINGS, 0, 0, &one_setting)),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("what nobody knows", frame(0xfa, 0, 0, b"12345678")),
    ] {
        let house = House::impatient().await;
        let mut client = house.client().await;
        client.send(&asking(1, "/")).await;
        client.send(&flood.repeat(10 * MANY as usize)).await;
        let frames = client.end().await;
        assert!(frames.iter().any(|frame| frame.stream == 1 && frame.kind == HEADERS), "{name}");
        house.ends_unharmed().await;
    }
}
