// Which loopback address a port gets. The same owner and role get the same address whenever it is free, so that an
// address survives even a lost port. Pure functions; thread-safe.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include "providers/cloud.hpp"

namespace trove::local {

struct Subnet {
  uint32_t network = 0;
  int prefix = 16;
};
Result<Subnet> parse_subnet(std::string_view cidr);             // IPv4, /8 to /30, no host bits
std::string address_text(uint32_t address);                     // 127.77.0.1
// Starts at a hash of the token and takes the next free one; never one that ends in .0 or .255. no_space: all are used.
Result<std::string> pick_address(const Subnet& subnet, const Token& token, const std::set<std::string>& used);

}  // namespace trove::local
