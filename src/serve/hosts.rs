//! By which names this machine may be asked.

use std::net::{IpAddr, Ipv6Addr};

/// The names that a request's `Host` may have. A site that makes its own name lead to this machine (DNS rebinding)
/// asks by that name, and is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts {
    given: String,
    is_loopback: bool,
}

impl Hosts {
    /// For a server that was asked to listen at `given`, which is `address`.
    pub fn of(given: &str, address: IpAddr) -> Self {
        Self { given: given.to_string(), is_loopback: address.is_loopback() }
    }

    /// Whether a request with this `Host` is for this server. Its port is not looked at: a tunnel has another.
    pub fn include(&self, host: &str) -> bool {
        let Some(name) = name(host) else { return false };
        if name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case(&self.given) {
            return true;
        }
        // No site can make an address lead elsewhere.
        match name.parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || !self.is_loopback,
            Err(_) => false,
        }
    }
}

/// The host without its port; of an address in brackets what is in them.
fn name(host: &str) -> Option<&str> {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let is_whole = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().ok().filter(|_| is_whole).map(|_| address);
    }
    match host.split_once(':') {
        None => Some(host),
        Some((name, port)) => is_port(port).then_some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_taken() {
        let hosts = Hosts::of("127.0.0.1", IpAddr::from([127, 0, 0, 1]));
        for host in ["127.0.0.1:8000", "localhost", "LocalHost:1", "[::1]:8000", "127.0.0.2"] {
            assert!(hosts.include(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "192.168.1.2:8000",
            "127.0.0.1.evil.example",
            "[::1",
            "[::1]x",
            "localhost:80:80",
            "localhost:x",
            "[localhost]",
        ] {
            assert!(!hosts.include(host), "{host}");
        }
    }

    #[test]
    fn a_server_for_others_takes_addresses_and_the_name_it_was_given() {
        let hosts = Hosts::of("0.0.0.0", IpAddr::from([0, 0, 0, 0]));
        assert!(hosts.include("192.168.1.2:8000") && hosts.include("[fe80::1]:8000"));
        assert!(!hosts.include("evil.example"));
        let hosts = Hosts::of("lab.example", IpAddr::from([192, 168, 1, 2]));
        assert!(hosts.include("lab.example:8000") && !hosts.include("evil.example"));
    }
}
