//! The end of a certificate's life (RFC 5280, section 4.1), read whether or not anybody trusts the certificate.
//!
//! It comes from a stranger: what cannot be read is an error, never a panic.

use std::time::Duration;

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode, Error, Reader, SliceReader, Tag, Tagged};

const DAY_S: f64 = 86_400.0;

/// Days until it ends, rounded down to a hundredth; negative when it has ended.
///
/// # Errors
/// It is no certificate, or ends before 1970.
pub(super) fn days_left(certificate: &[u8], now: Duration) -> Result<f64, Error> {
    let left = not_after(certificate)?.as_secs_f64() - now.as_secs_f64();
    Ok((left / DAY_S * 100.0).floor() / 100.0)
}

/// Since 1970.
fn not_after(certificate: &[u8]) -> Result<Duration, Error> {
    let certificate = AnyRef::decode(&mut SliceReader::new(certificate)?)?;
    let mut certificate = fields(certificate)?;
    let mut tbs = fields(certificate.decode()?)?;
    // The version has a tag of its own, and may be missing; then come serial number, algorithm and issuer.
    let first: AnyRef<'_> = tbs.decode()?;
    let others = if first.tag() == Tag::Integer { 2 } else { 3 };
    for _ in 0..others {
        let _: AnyRef<'_> = tbs.decode()?;
    }
    let mut validity = fields(tbs.decode()?)?;
    let _: AnyRef<'_> = validity.decode()?;
    let end: AnyRef<'_> = validity.decode()?;
    if end.tag() == Tag::UtcTime {
        return Ok(end.decode_as::<UtcTime>()?.to_unix_duration());
    }
    Ok(end.decode_as::<GeneralizedTime>()?.to_unix_duration())
}

fn fields(sequence: AnyRef<'_>) -> Result<SliceReader<'_>, Error> {
    sequence.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(sequence.value())
}
