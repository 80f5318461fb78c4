#include "providers/local/addresses.hpp"
#include <charconv>
#include "specs/core/digest.hpp"

namespace trove::local {

namespace {

constexpr int kWidest = 8, kNarrowest = 30;

template <class Int>
bool read_number(std::string_view& text, Int most, Int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > most) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

}  // namespace

Result<Subnet> parse_subnet(std::string_view cidr) {
  const auto refuse = [cidr] {
    return fail(Code::invalid,
                "\"" + std::string(cidr) + "\" is not an IPv4 subnet from /8 to /30, such as 127.77.0.0/16");
  };
  std::string_view rest = cidr;
  Subnet subnet;
  for (int part = 0; part < 4; ++part) {
    uint32_t number = 0;
    if (!read_number(rest, 255u, number) || rest.empty() || rest.front() != (part < 3 ? '.' : '/')) return refuse();
    rest.remove_prefix(1);
    subnet.network = subnet.network << 8 | number;
  }
  if (!read_number(rest, kNarrowest, subnet.prefix) || !rest.empty() || subnet.prefix < kWidest) return refuse();
  if (subnet.network & ((uint32_t{1} << (32 - subnet.prefix)) - 1)) return refuse();
  return subnet;
}

std::string address_text(uint32_t address) {
  return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
         std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

Result<std::string> pick_address(const Subnet& subnet, const Token& token, const std::set<std::string>& used) {
  const uint32_t hosts = uint32_t{1} << (32 - subnet.prefix);
  const std::string hash = sha256_raw(token.uid + "/" + token.role);
  uint32_t start = 0;
  for (int i = 0; i < 4; ++i) start = start << 8 | static_cast<unsigned char>(hash[static_cast<size_t>(i)]);
  for (uint32_t step = 0; step < hosts; ++step) {
    const uint32_t host = (start % hosts + step) % hosts;
    const uint32_t address = subnet.network + host;
    const uint32_t last = address & 255;
    if (last == 0 || last == 255 || host == 0 || host == hosts - 1) continue;
    if (std::string text = address_text(address); !used.contains(text)) return text;
  }
  return fail(Code::no_space, "IpAddressGenerationFailure: No more IP addresses available on the local network",
              "delete ports that are not used, or give the local cloud a larger subnet");
}

}  // namespace trove::local
