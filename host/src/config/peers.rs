//! Peers that are believed.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::environ::Endpoint;

/// Peers whose `X-Request-Id` is taken over: reverse proxies of the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedPeers {
    networks: Vec<IpNet>,
    unix: bool,
}

/// Why a text names no peers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no peer; write an address, a network such as 10.0.0.0/8, or unix")]
pub struct PeersError(String);

impl TrustedPeers {
    /// Trusts also `text`: an address, a network in CIDR form, or `unix` for all Unix sockets.
    pub fn add(&mut self, text: &str) -> Result<(), PeersError> {
        if text == "unix" {
            self.unix = true;
            return Ok(());
        }
        let address = IpAddr::from_str(text).map(|address| IpNet::from(address.to_canonical()));
        let network = address.or_else(|_| IpNet::from_str(text)).map_err(|_| PeersError(text.to_owned()))?;
        self.networks.push(network);
        Ok(())
    }

    /// Whether `peer` is believed.
    pub fn trusts(&self, peer: Endpoint) -> bool {
        match peer {
            Endpoint::Unix => self.unix,
            Endpoint::Tcp(address) => {
                // A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d.
                let ip = address.ip().to_canonical();
                self.networks.iter().any(|network| network.contains(&ip))
            }
        }
    }
}
