//! The machine's network interfaces, with their addresses and the default routes, as the kernel's netlink tells them.

use anyhow::{Result, bail};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An interface.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Interface {
    index: u32,
    /// Its hardware address, where it is an Ethernet.
    pub(crate) mac: Option<String>,
    /// Its addresses, in the kernel's order.
    pub(crate) addresses: Vec<Address>,
}

/// An address of an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    /// The address itself.
    pub(crate) ip: IpAddr,
    /// The number of its bits that name the network.
    pub(crate) prefix: u8,
    /// The network's broadcast address.
    pub(crate) broadcast: Option<IpAddr>,
}

/// True if an address is of a family.
pub(crate) type Family = fn(&IpAddr) -> bool;

/// All interfaces, and those of the default routes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Interfaces {
    /// All of them, in the kernel's order.
    pub(crate) all: Vec<Interface>,
    routes: [Option<Route>; 2],
}

/// A default route, and how far it is behind others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Route {
    priority: u32,
    index: u32,
}

/// Messages of `linux/rtnetlink.h`: the question's number, and that of the kernel's answers.
const LINKS: (u16, u16) = (18, 16);
const ADDRESSES: (u16, u16) = (22, 20);
const ROUTES: (u16, u16) = (26, 24);
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// A request for everything.
const DUMP: u16 = 0x301;

const ETHERNET: u16 = 1;
const MAIN_TABLE: u8 = 254;
const UNICAST: u8 = 1;
const IPV4: u8 = 2;
const IPV6: u8 = 10;

impl Interfaces {
    /// Asks the kernel.
    pub(crate) fn read() -> Result<Self> {
        let mut found = Self::default();
        for (question, answer) in [LINKS, ADDRESSES, ROUTES] {
            dump(question, |kind, body| {
                if kind == answer {
                    found.take(kind, body);
                }
            })?;
        }
        Ok(found)
    }

    /// The only address of that family on the interface of its default route.
    pub(crate) fn default_address(&self, is_wanted: Family) -> Option<IpAddr> {
        let [ipv4, ipv6] = self.routes;
        let route = if is_wanted(&IpAddr::V4(Ipv4Addr::UNSPECIFIED)) { ipv4 } else { ipv6 };
        // Where a family has no default route, the other's interface has its address.
        let route = route.or(ipv4).or(ipv6)?;
        let interface = self.all.iter().find(|interface| interface.index == route.index)?;
        let mut addresses = interface.addresses.iter().map(|address| address.ip).filter(is_wanted);
        let first = addresses.next().filter(|ip| is_global(*ip))?;
        addresses.all(|ip| !is_global(ip)).then_some(first)
    }

    fn take(&mut self, kind: u16, body: &[u8]) {
        // A message that is too short is ignored.
        let _known = match kind {
            kind if kind == LINKS.1 => self.link(body),
            kind if kind == ADDRESSES.1 => self.address(body),
            _ => self.route(body),
        };
    }

    fn link(&mut self, body: &[u8]) -> Option<()> {
        let kind = u16::from_ne_bytes(*body.get(2..)?.first_chunk()?);
        let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
        let mac = attribute(body.get(16..)?, 1).filter(|mac| kind == ETHERNET && mac.len() == 6);
        let mac = mac.map(|mac| mac.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"));
        self.all.push(Interface { index, mac, addresses: Vec::new() });
        Some(())
    }

    fn address(&mut self, body: &[u8]) -> Option<()> {
        let [_, prefix, ..] = body else { return None };
        let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
        let attributes = body.get(8..)?;
        // The own address, which is not the other end's.
        let ip = ip_of(attribute(attributes, 2).or_else(|| attribute(attributes, 1))?)?;
        let broadcast = attribute(attributes, 4).and_then(ip_of);
        let interface = self.all.iter_mut().find(|interface| interface.index == index)?;
        interface.addresses.push(Address { ip, prefix: *prefix, broadcast });
        Some(())
    }

    fn route(&mut self, body: &[u8]) -> Option<()> {
        let [family, length, _, _, table, _, _, kind, ..] = body else { return None };
        if (*length, *table, *kind) != (0, MAIN_TABLE, UNICAST) {
            return None;
        }
        let attributes = body.get(12..)?;
        let number = |kind| Some(u32::from_ne_bytes(*attribute(attributes, kind)?.first_chunk()?));
        // The first of several ways, where there are several.
        let first_way = || Some(u32::from_ne_bytes(*attribute(attributes, 9)?.get(4..)?.first_chunk()?));
        let index = number(4).or_else(first_way)?;
        let route = Route { priority: number(6).unwrap_or_default(), index };
        let [ipv4, ipv6] = &mut self.routes;
        let own = match *family {
            IPV4 => ipv4,
            IPV6 => ipv6,
            _ => return None,
        };
        if own.is_none_or(|own| route.priority < own.priority) {
            *own = Some(route);
        }
        Some(())
    }
}

/// True if another machine can use it.
pub(crate) fn is_global(ip: IpAddr) -> bool {
    let is_of_link = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !is_of_link && !ip.is_loopback() && !ip.is_unspecified()
}

fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?))),
        _ => None,
    }
}

/// Asks for everything of a kind, and gives each message's kind and body to `take`.
fn dump(question: u16, mut take: impl FnMut(u16, &[u8])) -> Result<()> {
    // No protocol is the first: NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let mut request = Vec::new();
    request.extend(20_u32.to_ne_bytes());
    request.extend(question.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    // Number, sender, and the family: all of them.
    request.extend([0; 12]);
    request.truncate(20);
    sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let (_, read) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        if read == 0 {
            bail!("the kernel's answer about the network has no end");
        }
        if messages(buffer.get(..read).unwrap_or_default(), &mut take)? {
            return Ok(());
        }
    }
}

/// Takes the messages of one answer apart. True after the last.
fn messages(mut rest: &[u8], take: &mut impl FnMut(u16, &[u8])) -> Result<bool> {
    while let Some((length, kind)) = header(rest) {
        match kind {
            DONE => return Ok(true),
            ERROR => bail!("the kernel tells nothing about the network"),
            _ => take(kind, rest.get(16..length).unwrap_or_default()),
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn header(rest: &[u8]) -> Option<(usize, u16)> {
    let length = usize::try_from(u32::from_ne_bytes(*rest.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
    (16..=rest.len()).contains(&length).then_some((length, kind))
}

/// The value of an attribute.
fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        let value = rest.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn attributes(all: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in all {
            bytes.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    fn link(found: &mut Interfaces, index: u32, kind: u16, mac: [u8; 6]) {
        let mut body = vec![0, 0];
        body.extend(kind.to_ne_bytes());
        body.extend(index.to_ne_bytes());
        body.resize(16, 0);
        body.extend(attributes(&[(3, b"name\0"), (1, &mac)]));
        found.take(LINKS.1, &body);
    }

    fn address(found: &mut Interfaces, index: u32, ip: &str, prefix: u8, broadcast: Option<[u8; 4]>) {
        let ip = match ip.parse().unwrap() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let mut body = vec![0, prefix, 0, 0];
        body.extend(index.to_ne_bytes());
        let mut all: Vec<(u16, &[u8])> = vec![(1, &ip)];
        all.extend(broadcast.as_ref().map(|broadcast| (4, broadcast.as_slice())));
        body.extend(attributes(&all));
        found.take(ADDRESSES.1, &body);
    }

    fn route(found: &mut Interfaces, family: u8, index: u32, priority: u32) {
        let mut body = vec![family, 0, 0, 0, MAIN_TABLE, 0, 0, UNICAST, 0, 0, 0, 0];
        body.extend(attributes(&[(4, &index.to_ne_bytes()), (6, &priority.to_ne_bytes())]));
        found.take(ROUTES.1, &body);
    }

    /// A machine with a loop, an Ethernet with both families and one beside it.
    pub(crate) fn a_machines() -> Interfaces {
        let mut found = Interfaces::default();
        link(&mut found, 1, 772, [0; 6]);
        link(&mut found, 2, ETHERNET, [0, 0x50, 0x56, 0, 0, 1]);
        link(&mut found, 3, ETHERNET, [0, 0x50, 0x56, 0, 0, 2]);
        address(&mut found, 1, "127.0.0.1", 8, None);
        address(&mut found, 2, "10.6.0.11", 20, Some([10, 6, 15, 255]));
        address(&mut found, 3, "10.7.0.11", 24, None);
        address(&mut found, 2, "fd00::11", 64, None);
        address(&mut found, 2, "fe80::1", 64, None);
        route(&mut found, IPV4, 3, 200);
        route(&mut found, IPV4, 2, 100);
        found
    }

    #[test]
    fn the_default_routes_interface_has_the_own_addresses() {
        let mut found = a_machines();
        let own = |found: &Interfaces| {
            [IpAddr::is_ipv4, IpAddr::is_ipv6]
                .map(|family| found.default_address(family).map(|ip| ip.to_string()))
        };
        assert_eq!(own(&found), [Some("10.6.0.11".into()), Some("fd00::11".into())]);
        // Nobody knows which of two is meant.
        address(&mut found, 2, "10.6.0.12", 20, None);
        assert_eq!(own(&found), [None, Some("fd00::11".into())]);
        route(&mut found, IPV6, 3, 1);
        assert_eq!(own(&found), [None, None]);
        assert_eq!(own(&Interfaces::default()), [None, None]);
        let [ip, beside] = ["fe80::1", "fd00::1"].map(|ip| is_global(ip.parse().unwrap()));
        assert!(!ip && beside);
    }

    #[test]
    fn the_kernels_answer_is_read() {
        assert!(Interfaces::read().unwrap().all.iter().any(|interface| interface.index == 1));
    }

    #[test]
    fn an_answer_that_is_cut_off_is_no_fault() {
        let mut body = vec![IPV4, 0, 0, 0, MAIN_TABLE, 0, 0, UNICAST, 0, 0, 0, 0];
        body.extend(attributes(&[(4, &[1, 0, 0, 0]), (9, &[0; 8])]));
        for end in 0..body.len() {
            for kind in [LINKS.1, ADDRESSES.1, ROUTES.1] {
                Interfaces::default().take(kind, body.get(..end).unwrap());
            }
            assert!(!messages(body.get(..end).unwrap(), &mut |_, _| {}).is_ok_and(|done| done));
        }
    }
}
