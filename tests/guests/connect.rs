//! Tries to reach the network by WASI sockets.

use std::net::{IpAddr, SocketAddr};

use guest_fixtures::{Answer, Query, json, not_found};
use serde_json::json as object;
use wasgi_guest::{Environ, StartResponse};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Answer {
    let query = Query::of(&environ);
    let address = query.text("addr", "127.0.0.1:80").parse::<SocketAddr>();
    let value = match (environ.path().as_str(), address) {
        ("/resolve", _) => {
            let result = resolve(&query.text("name", "localhost"));
            object!({ "error": error(&result), "addresses": result.unwrap_or_default() })
        }
        ("/tcp", Ok(address)) => connected(&tcp(address)),
        ("/udp", Ok(address)) => connected(&udp(address)),
        (path, _) => return not_found(&start_response, path),
    };
    json(&start_response, &value)
}

fn connected(result: &Result<(), ErrorCode>) -> serde_json::Value {
    object!({ "connected": result.is_ok(), "error": error(result) })
}

fn error<T>(result: &Result<T, ErrorCode>) -> Option<&'static str> {
    result.as_ref().err().map(ErrorCode::name)
}

fn tcp(address: SocketAddr) -> Result<(), ErrorCode> {
    let socket = create_tcp_socket(family(address))?;
    socket.start_connect(&instance_network(), to_wasi(address))?;
    loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            result => return result.map(drop),
        }
    }
}

fn udp(address: SocketAddr) -> Result<(), ErrorCode> {
    let socket = create_udp_socket(family(address))?;
    let any = SocketAddr::new(if address.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) }, 0);
    socket.start_bind(&instance_network(), to_wasi(any))?;
    loop {
        match socket.finish_bind() {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            result => break result?,
        }
    }
    let (_incoming, outgoing) = socket.stream(Some(to_wasi(address)))?;
    outgoing.subscribe().block();
    outgoing.check_send()?;
    outgoing.send(&[OutgoingDatagram { data: b"out".to_vec(), remote_address: None }]).map(drop)
}

fn resolve(name: &str) -> Result<Vec<String>, ErrorCode> {
    let stream = resolve_addresses(&instance_network(), name)?;
    let mut addresses = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => addresses.push(IpAddr::from([a, b, c, d]).to_string()),
            Ok(Some(IpAddress::Ipv6((a, b, c, d, e, f, g, h)))) => {
                addresses.push(IpAddr::from([a, b, c, d, e, f, g, h]).to_string());
            }
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => stream.subscribe().block(),
            Err(error) => return Err(error),
        }
    }
}

fn family(address: SocketAddr) -> IpAddressFamily {
    if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(v4) => {
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port: v4.port(), address: v4.ip().octets().into() })
        }
        SocketAddr::V6(v6) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
            port: v6.port(),
            flow_info: v6.flowinfo(),
            address: v6.ip().segments().into(),
            scope_id: v6.scope_id(),
        }),
    }
}
