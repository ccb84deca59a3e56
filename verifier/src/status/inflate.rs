//! DEFLATE in its zlib wrapper (RFC 1950), with an end to what it may become.

use flate2::{Decompress, FlushDecompress, Status};

/// How much is unpacked at a time.
const STEP: usize = 32 * 1024;

/// Why bytes could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// They are not one whole zlib stream.
    Malformed,
    /// They become too much.
    TooLarge,
}

/// Unpacks one whole zlib stream and stops as soon as it has become more than `limit` bytes.
///
/// The ratio needs no limit of its own: DEFLATE itself stays below 1032 to 1, and an honest list
/// without a set bit comes close to that.
pub(super) fn inflate(packed: &[u8], limit: usize) -> Result<Box<[u8]>, Packed> {
    let mut inflater = Decompress::new(true);
    let mut step = vec![0; STEP];
    let mut unpacked = Vec::new();
    loop {
        let (taken, given) = (inflater.total_in(), inflater.total_out());
        let rest = usize::try_from(taken).ok().and_then(|taken| packed.get(taken..)).ok_or(Packed::Malformed)?;
        let status = inflater.decompress(rest, &mut step, FlushDecompress::None).map_err(|_| Packed::Malformed)?;
        let fresh = usize::try_from(inflater.total_out() - given).map_err(|_| Packed::TooLarge)?;
        if unpacked.len() + fresh > limit {
            return Err(Packed::TooLarge);
        }
        unpacked.extend_from_slice(step.get(..fresh).ok_or(Packed::Malformed)?);
        match status {
            Status::StreamEnd if inflater.total_in() == packed.len() as u64 => return Ok(unpacked.into_boxed_slice()),
            Status::StreamEnd => return Err(Packed::Malformed),
            // It wants more than there is.
            _ if fresh == 0 && inflater.total_in() == taken => return Err(Packed::Malformed),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_packed_comes_out() {
        let noise: Vec<u8> = (0..200_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for bytes in [&[][..], &[0], &[7; 100], &noise, &[0; 131_072]] {
            assert_eq!(&*inflate(&zlib(bytes), 1 << 20).unwrap(), bytes);
            assert_eq!(&*inflate(&zlib(bytes), bytes.len()).unwrap(), bytes);
        }
    }

    #[test]
    fn row_85_a_zip_bomb_ends_at_the_limit() {
        let bomb = zlib(&vec![0; 64 << 20]);
        assert!(bomb.len() < 70_000);
        assert_eq!(inflate(&bomb, 16 << 20), Err(Packed::TooLarge));
        assert_eq!(inflate(&zlib(&[0; 1001]), 1000), Err(Packed::TooLarge));
    }

    #[test]
    fn anything_but_one_whole_stream_is_refused() {
        let good = zlib(b"a list of some bytes, a list of some bytes");
        for end in 0..good.len() {
            assert_eq!(inflate(&good[..end], 1000), Err(Packed::Malformed), "cut at {end}");
        }
        let mut wrong_sum = good.clone();
        *wrong_sum.last_mut().unwrap() ^= 1;
        let mut with_dictionary = good.clone();
        with_dictionary[..2].copy_from_slice(&[0x78, 0xbb]);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(b"bytes").unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        raw.write_all(b"bytes").unwrap();
        for bad in [
            [good.as_slice(), &[0]].concat(),
            [good.as_slice(), &good].concat(),
            wrong_sum,
            with_dictionary,
            gzip.finish().unwrap(),
            raw.finish().unwrap(),
            b"no zlib at all".to_vec(),
        ] {
            assert_eq!(inflate(&bad, 1000), Err(Packed::Malformed), "{bad:?}");
        }
    }
}
