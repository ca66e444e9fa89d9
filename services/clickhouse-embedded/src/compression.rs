//! HTTP compression both ways: `Content-Encoding` of bodies, `Accept-Encoding` of answers.
//!
//! Bodies are unpacked here, not by the engine's `INFILE … COMPRESSION`: the statement itself may stand in the packed
//! body (`clickhouse-connect` does that), and one way for all is the one that is tested.

use std::pin::Pin;

use async_compression::tokio::{bufread as codec, write as encoder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::error::Exception;

/// Pieces of an unpacked stream.
const PIECE_BYTES: usize = 256 << 10;

/// A stream of bytes that can be sent between tasks.
pub type ByteStream<E> = Pin<Box<dyn Stream<Item = Result<Bytes, E>> + Send>>;

/// A compression that HTTP knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
    /// Gzip.
    Gzip,
    /// Brotli.
    Brotli,
    /// Zlib, which HTTP calls deflate.
    Deflate,
}

impl Encoding {
    /// In the order in which this server prefers them: the cheapest first.
    const ALL: [Self; 5] = [Self::Lz4, Self::Zstd, Self::Gzip, Self::Brotli, Self::Deflate];

    /// The name in a header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Deflate => "deflate",
        }
    }

    /// Reads `Content-Encoding`.
    ///
    /// # Errors
    /// Code 48 for an encoding that is not known.
    pub fn parse(text: &str) -> Result<Option<Self>, Exception> {
        let name = text.trim().to_ascii_lowercase();
        let name = if name == "x-gzip" { "gzip" } else { &name };
        if name.is_empty() || name == "identity" {
            return Ok(None);
        }
        let known = Self::ALL.into_iter().find(|encoding| encoding.name() == name);
        let unknown =
            || format!("Content-Encoding `{name}` is not known (known: lz4, zstd, gzip, br, deflate)");
        known.map(Some).ok_or_else(|| Exception::not_implemented(unknown()))
    }

    /// Picks one that the client accepts.
    #[must_use]
    pub fn choose(accept: &str) -> Option<Self> {
        let accepts = |encoding: &Self| {
            accept.split(',').any(|part| {
                let (name, quality) = part.split_once(';').unwrap_or((part, ""));
                let refused =
                    quality.trim().strip_prefix("q=").is_some_and(|q| q.bytes().all(|b| b"0.".contains(&b)));
                name.trim().eq_ignore_ascii_case(encoding.name()) && !refused
            })
        };
        Self::ALL.into_iter().find(accepts)
    }

    /// Unpacks a body.
    #[must_use]
    pub fn decoded(self, stream: ByteStream<Exception>) -> ByteStream<Exception> {
        let reader = StreamReader::new(stream.map(|piece| piece.map_err(std::io::Error::other)));
        macro_rules! members {
            ($decoder:ty) => {{
                let mut decoder = <$decoder>::new(reader);
                decoder.multiple_members(true);
                pieces(decoder)
            }};
        }
        let stream = match self {
            Self::Lz4 => members!(codec::Lz4Decoder<_>),
            Self::Zstd => members!(codec::ZstdDecoder<_>),
            Self::Gzip => members!(codec::GzipDecoder<_>),
            Self::Brotli => pieces(codec::BrotliDecoder::new(reader)),
            Self::Deflate => pieces(codec::ZlibDecoder::new(reader)),
        };
        let broken = move |error: std::io::Error| match error.downcast::<Exception>() {
            Ok(exception) => exception,
            Err(error) => Exception::cannot_decompress(format!("The body is no {}: {error}", self.name())),
        };
        Box::pin(stream.map(move |piece| piece.map_err(broken)))
    }

    /// Packs an answer. Each piece of it is flushed: it can be read when it has come, and an error written behind the
    /// data starts a block of its own (the Rust client looks for it at the end of one).
    #[must_use]
    pub fn encoded(self, stream: ByteStream<std::io::Error>) -> ByteStream<std::io::Error> {
        let fast = async_compression::Level::Fastest;
        match self {
            Self::Lz4 => packed(encoder::Lz4Encoder::new(Vec::new()), stream),
            Self::Zstd => packed(encoder::ZstdEncoder::with_quality(Vec::new(), fast), stream),
            Self::Gzip => packed(encoder::GzipEncoder::with_quality(Vec::new(), fast), stream),
            Self::Brotli => packed(encoder::BrotliEncoder::with_quality(Vec::new(), fast), stream),
            Self::Deflate => packed(encoder::ZlibEncoder::with_quality(Vec::new(), fast), stream),
        }
    }
}

/// An encoder over a `Vec` whose bytes can be taken out as they come.
trait Packer: AsyncWrite + Send + Unpin + 'static {
    fn take(&mut self) -> Bytes;
}

macro_rules! packers {
    ($($encoder:ident)*) => {$(
        impl Packer for encoder::$encoder<Vec<u8>> {
            fn take(&mut self) -> Bytes {
                Bytes::from(std::mem::take(self.get_mut()))
            }
        }
    )*};
}

packers!(Lz4Encoder ZstdEncoder GzipEncoder BrotliEncoder ZlibEncoder);

fn packed(encoder: impl Packer, stream: ByteStream<std::io::Error>) -> ByteStream<std::io::Error> {
    Box::pin(futures_util::stream::try_unfold(Some((encoder, stream)), |state| async move {
        let Some((mut encoder, mut stream)) = state else { return Ok(None) };
        if let Some(piece) = stream.next().await.transpose()? {
            encoder.write_all(&piece).await?;
            encoder.flush().await?;
            return Ok(Some((encoder.take(), Some((encoder, stream)))));
        }
        encoder.shutdown().await?;
        Ok(Some((encoder.take(), None)))
    }))
}

fn pieces(reader: impl AsyncRead + Send + 'static) -> ByteStream<std::io::Error> {
    Box::pin(ReaderStream::with_capacity(reader, PIECE_BYTES))
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    async fn gather<E>(stream: ByteStream<E>) -> Result<Vec<u8>, E> {
        stream
            .try_fold(Vec::new(), async |mut all, piece: Bytes| {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await
    }

    fn stream<E: Send + 'static>(data: &[u8], step: usize) -> ByteStream<E> {
        let pieces: Vec<Result<Bytes, E>> =
            data.chunks(step).map(|p| Ok(Bytes::copy_from_slice(p))).collect();
        Box::pin(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn each_encoding_comes_back() {
        let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 5).to_le_bytes()[0]).collect();
        for encoding in Encoding::ALL {
            let packed = gather(encoding.encoded(stream(&data, 10_000))).await.unwrap();
            assert!(packed.len() < data.len() / 2, "{encoding:?}");
            assert_eq!(gather(encoding.decoded(stream(&packed, 777))).await.unwrap(), data, "{encoding:?}");
            let cut = gather(encoding.decoded(stream(&packed[..packed.len() / 2], 777))).await;
            assert_eq!(cut.unwrap_err().code, 271, "{encoding:?}");
        }
    }

    #[test]
    fn the_cheapest_that_the_client_accepts() {
        assert_eq!(Encoding::choose("gzip, deflate, br, zstd"), Some(Encoding::Zstd));
        assert_eq!(Encoding::choose("zstd;q=0, gzip;q=0.5"), Some(Encoding::Gzip));
        assert_eq!(Encoding::choose("identity, *"), None);
        assert_eq!(Encoding::parse("GZIP").unwrap(), Some(Encoding::Gzip));
        assert_eq!(Encoding::parse("identity").unwrap(), None);
        assert_eq!(Encoding::parse("snappy").unwrap_err().code, 48);
    }
}
