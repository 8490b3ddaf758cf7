//! Which connection makes room when there are as many as there may be: the one that has been idle longest, else the one
//! whose head has been under way longest, else the same of bodies, and never one whose request is being answered. It is the
//! first of a sample, where there are many.
//!
//! Connections of one address have a bound of their own, so that one client cannot take the places of all; loopback has
//! none, since everything behind a proxy of this machine comes from there, as do the other roles. There the order above
//! does it: a client that holds idle connections loses them to those who ask.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// The state of a connection, and for how long it has been in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has been told to end.
    Leaving,
    /// Nothing of a request has come.
    Idle(Duration),
    /// Part of a head has come, or of a handshake.
    Beginning(Duration),
    /// Part of a body has come.
    Coming(Duration),
    /// A whole request has come.
    Answering,
}

/// Room for one more connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Room<C> {
    /// There is some.
    Free,
    /// There is, once this one has gone.
    After(C),
    /// All others are being answered.
    None,
}

/// Returns the room for one more connection beside this number of others, of which there may be at most `most`. The one that
/// makes room is of a sample of them.
pub(super) fn room<C>(most: usize, open: usize, sample: impl Iterator<Item = (C, Standing)>) -> Room<C> {
    let (mut staying, mut first) = (open, None);
    for (connection, standing) in sample {
        staying -= usize::from(standing == Standing::Leaving);
        let Some(rank) = rank(standing) else { continue };
        if first.as_ref().is_none_or(|(_, least)| rank > *least) {
            first = Some((connection, rank));
        }
    }
    match first {
        _ if staying < most => Room::Free,
        Some((connection, _)) => Room::After(connection),
        None => Room::None,
    }
}

/// The higher, the sooner it goes.
fn rank(standing: Standing) -> Option<(u8, Duration)> {
    match standing {
        Standing::Idle(time) => Some((2, time)),
        Standing::Beginning(time) => Some((1, time)),
        Standing::Coming(time) => Some((0, time)),
        Standing::Leaving | Standing::Answering => None,
    }
}

/// Returns what counts as one client: an address of IPv4, or the network of 64 bits that an address of IPv6 is in; a
/// customer of a provider has at least that.
pub(super) fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing::*, *};

    fn at(most: usize, open: &[Standing]) -> Room<usize> {
        room(most, open.len(), open.iter().copied().enumerate())
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_longest_idle_goes_first_then_a_head_then_a_body_and_never_one_that_is_answered() {
        let open = [Answering, Coming(seconds(90)), Idle(seconds(1)), Idle(seconds(5))];
        assert_eq!(at(5, &open), Room::Free);
        assert_eq!(at(4, &open), Room::After(3));
        assert_eq!(at(4, &open[..3]), Room::Free);
        assert_eq!(at(3, &open[..3]), Room::After(2));
        let open = [Coming(seconds(9)), Answering, Beginning(seconds(1)), Beginning(seconds(2))];
        assert_eq!(at(4, &open), Room::After(3));
        assert_eq!(at(2, &[Coming(seconds(1)), Coming(seconds(2))]), Room::After(1));
        assert_eq!(at(2, &[Answering, Answering]), Room::None);
        assert_eq!(at(0, &[]), Room::None);
    }

    #[test]
    fn those_beside_the_sample_stay() {
        assert_eq!(room(9, 10, [('a', Leaving)].into_iter()), Room::None);
        assert_eq!(room(10, 10, [('a', Leaving)].into_iter()), Room::Free);
        assert_eq!(room(9, 10, [('a', Leaving), ('b', Idle(seconds(0)))].into_iter()), Room::After('b'));
    }

    #[test]
    fn one_that_is_leaving_has_made_room_already() {
        assert_eq!(at(2, &[Leaving, Answering]), Room::Free);
        assert_eq!(at(1, &[Leaving, Answering]), Room::None);
        assert_eq!(at(1, &[Leaving, Idle(seconds(0))]), Room::After(1));
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_64_bits() {
        let client = |text: &str| client(text.parse().unwrap()).to_string();
        assert_eq!(client("192.0.2.7"), "192.0.2.7");
        assert_eq!(client("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(client("2001:db8:1:2::"), client("2001:db8:1:2:ffff::1"));
    }
}
