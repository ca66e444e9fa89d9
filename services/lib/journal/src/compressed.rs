//! The bytes of a closed segment into a compressed file and back, at any offset; the format of that file.
//!
//! `00000000000000000001.journal.zst` holds the very bytes of `00000000000000000001.journal`: `zstd -d` gives them back,
//! and positions stay offsets into them. They are compressed in blocks of 128 KiB (the last is shorter), each a zstd
//! frame of its own that tells its size, so that reading in the middle costs one block, and damage costs one block.
//! Behind them stands an index in a skippable frame, which other programs pass over. Numbers are little-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | skippable frame, u32: 0x184D2A5B |
//! | 4 | 4 | bytes that follow, u32 |
//! | 8 | 4 | format version, u32: 1 |
//! | 12 | 8 | bytes of the segment, u64 |
//! | 20 | 4n | compressed bytes of each block, u32 |
//! | 20 + 4n | 4 | n, u32: number of blocks |
//! | 24 + 4n | 4 | CRC-32 (IEEE) of all before it in this table |
//! | 28 + 4n | 8 | magic `SISEJIDX` |
//!
//! The blocks carry no checksum: each record has two of its own. A damaged index costs nothing, the blocks are then
//! found one after the other.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;
use zstd::bulk::Decompressor;
use zstd::zstd_safe;

/// Bytes of the segment in one block: small enough that a damaged one costs a few hundred records, large enough to
/// compress well.
pub(crate) const BLOCK_BYTES: usize = 128 << 10;

const SKIPPABLE: u32 = 0x184D_2A5B;
const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"SISEJIDX";
/// Bytes of an index without the sizes of the blocks.
const INDEX_BYTES: usize = 36;
/// Bytes at the end of an index, from the number of blocks on.
const FOOTER_BYTES: u64 = 16;

/// The index of a segment of `segment_bytes` whose blocks have these sizes; none when that is more than it can tell.
pub(crate) fn encode_index(sizes: &[u32], segment_bytes: u64) -> Option<Vec<u8>> {
    let follow = u32::try_from(INDEX_BYTES - 8 + 4 * sizes.len()).ok()?;
    let mut out = Vec::with_capacity(INDEX_BYTES + 4 * sizes.len());
    out.extend(SKIPPABLE.to_le_bytes());
    out.extend(follow.to_le_bytes());
    out.extend(VERSION.to_le_bytes());
    out.extend(segment_bytes.to_le_bytes());
    out.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    out.extend(u32::try_from(sizes.len()).ok()?.to_le_bytes());
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out.extend(MAGIC);
    Some(out)
}

/// A compressed segment to read from.
pub(crate) struct Compressed {
    file: File,
    /// Where each block begins in the file, and where the last ends.
    starts: Vec<u64>,
    segment_bytes: u64,
    index_damaged: bool,
    /// The block read last; reading in order asks for the end of one again.
    last: RefCell<Option<(usize, Block)>>,
}

/// A block as bytes of the segment; none when it cannot be decompressed.
type Block = Option<Bytes>;

impl Compressed {
    pub(crate) fn open(file: File) -> io::Result<Compressed> {
        let bytes = file.metadata()?.len();
        let (index, index_damaged) = match read_index(&file, bytes)? {
            Some(index) => (index, false),
            None => (walk(&file)?, true),
        };
        let (starts, segment_bytes) = index;
        Ok(Compressed { file, starts, segment_bytes, index_damaged, last: RefCell::new(None) })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Bytes of the segment.
    pub(crate) fn len(&self) -> u64 {
        self.segment_bytes
    }

    pub(crate) fn is_index_damaged(&self) -> bool {
        self.index_damaged
    }

    /// The segment's bytes from `at`: as much as there is, at most `most` bytes. A block that cannot be decompressed is
    /// as many zeros.
    pub(crate) fn read(&self, at: u64, most: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX).min(most);
        let mut out = Vec::with_capacity(left);
        while out.len() < left {
            let (number, from) = place(at + out.len() as u64);
            let missing = left - out.len();
            let here = self.block_bytes(number).saturating_sub(from).min(missing);
            if here == 0 {
                break;
            }
            match self.block(number)? {
                Some(block) => out.extend_from_slice(&block[from..from + here]),
                None => out.resize(out.len() + here, 0),
            }
        }
        Ok(Bytes::from(out))
    }

    /// Whether the block that holds `at` cannot be decompressed.
    pub(crate) fn is_broken(&self, at: u64) -> io::Result<bool> {
        Ok(at < self.len() && self.block(place(at).0)?.is_none())
    }

    /// Bytes of the segment in a block.
    fn block_bytes(&self, number: usize) -> usize {
        let begin = (number as u64).saturating_mul(BLOCK_BYTES as u64);
        usize::try_from(self.segment_bytes.saturating_sub(begin)).unwrap_or(usize::MAX).min(BLOCK_BYTES)
    }

    fn block(&self, number: usize) -> io::Result<Block> {
        if let Some((last, block)) = &*self.last.borrow()
            && *last == number
        {
            return Ok(block.clone());
        }
        let block = self.decompress(number)?.map(Bytes::from);
        self.last.replace(Some((number, block.clone())));
        Ok(block)
    }

    fn decompress(&self, number: usize) -> io::Result<Option<Vec<u8>>> {
        let (Some(from), Some(to)) = (self.starts.get(number), self.starts.get(number + 1)) else {
            return Ok(None);
        };
        let size = usize::try_from(to - from).unwrap_or(usize::MAX);
        if size > zstd_safe::compress_bound(BLOCK_BYTES) {
            return Ok(None);
        }
        let compressed = read_up_to(&self.file, *from, size)?;
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        let done = Decompressor::new()?.decompress_to_buffer(&compressed, &mut out);
        Ok(done.is_ok_and(|bytes| bytes == self.block_bytes(number)).then_some(out))
    }
}

/// The block that holds an offset, and where in it.
fn place(at: u64) -> (usize, usize) {
    let block = BLOCK_BYTES as u64;
    let number = usize::try_from(at / block).unwrap_or(usize::MAX);
    (number, usize::try_from(at % block).unwrap_or_default())
}

type Index = (Vec<u64>, u64);

/// What the index says; none when it is damaged.
fn read_index(file: &File, file_bytes: u64) -> io::Result<Option<Index>> {
    let Some(footer_at) = file_bytes.checked_sub(FOOTER_BYTES) else { return Ok(None) };
    let footer = read_up_to(file, footer_at, 16)?;
    let Some(footer) = footer.first_chunk::<16>() else { return Ok(None) };
    let bytes = (INDEX_BYTES as u64).saturating_add(4 * u64::from(u32_at(footer, 0)));
    let Some(at) = file_bytes.checked_sub(bytes).filter(|_| footer[8..] == MAGIC) else { return Ok(None) };
    let index = read_up_to(file, at, usize::try_from(bytes).unwrap_or(0))?;
    if index.len() as u64 != bytes || crc32fast::hash(&index[..index.len() - 12]) != u32_at(footer, 4) {
        return Ok(None);
    }
    if u32_at(&index, 8) != VERSION {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "compressed by a newer program; use that one",
        ));
    }
    let segment_bytes = u64::from(u32_at(&index, 12)) | u64::from(u32_at(&index, 16)) << 32;
    let mut starts = vec![0];
    let mut end = 0;
    for size in index[20..index.len() - 16].chunks_exact(4) {
        end += u64::from(u32_at(size, 0));
        starts.push(end);
    }
    let blocks = segment_bytes.div_ceil(BLOCK_BYTES as u64);
    let consistent = end == at && blocks == starts.len() as u64 - 1;
    Ok(consistent.then_some((starts, segment_bytes)))
}

/// The whole blocks from the beginning of the file on.
fn walk(file: &File) -> io::Result<Index> {
    let (mut starts, mut segment_bytes, mut at) = (vec![0], 0, 0);
    loop {
        let bytes = read_up_to(file, at, zstd_safe::compress_bound(BLOCK_BYTES))?;
        let size = zstd_safe::find_frame_compressed_size(&bytes).ok().map(|size| size as u64);
        let content = zstd_safe::get_frame_content_size(&bytes).ok().flatten();
        // A skippable frame has no content: it is the index.
        let (Some(size), Some(content @ 1..)) = (size, content) else { break };
        if content > BLOCK_BYTES as u64 {
            break;
        }
        at += size;
        starts.push(at);
        segment_bytes += content;
        if content < BLOCK_BYTES as u64 {
            break;
        }
    }
    Ok((starts, segment_bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

/// Reads from an offset on until `most` bytes are there or the file ends.
pub(crate) fn read_up_to(file: &File, at: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut out = vec![0; most];
    let mut done = 0;
    while done < most {
        match file.read_at(&mut out[done..], at + done as u64) {
            Ok(0) => break,
            Ok(bytes) => done += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.truncate(done);
    Ok(out)
}

#[cfg(test)]
mod tests;
