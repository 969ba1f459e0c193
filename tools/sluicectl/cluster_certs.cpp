#include "cluster_certs.hpp"

#include "core/text_id.hpp"
#include "failure.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace sluice::ctl {

namespace fs = std::filesystem;

namespace {

constexpr int node_days = 825;       // beyond, some verifiers refuse
constexpr int authority_days = 3650; // the nodes' certificates are renewed with the same one
constexpr long backdated = -3600;    // seconds: the nodes' clocks may differ

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};

using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;
using number_ptr = std::unique_ptr<BIGNUM, freed_by<BN_free>>;

[[noreturn]] void refuse(const std::string& why) {
  throw failure{exit_code::refused, why};
}

/// OpenSSL's own steps fail only for want of memory or randomness.
void must(bool done) {
  if (done)
    return;
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  refuse(std::string{"OpenSSL: "} + text.data());
}

struct authority {
  key_ptr key;
  certificate_ptr certificate;
};

// ---- making --------------------------------------------------------------------------------------------------------

key_ptr new_key() {
  key_ptr key{EVP_EC_gen("P-256")};
  must(key != nullptr);
  return key;
}

void add_extension(X509* to, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  extension_ptr extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
  must(extension != nullptr && X509_add_ext(to, extension.get(), -1) == 1);
}

void set_random_serial(X509* to) {
  std::array<unsigned char, 16> bytes{};
  must(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  bytes[0] &= 0x7F; // positive
  bytes[0] |= 0x40; // and always of the same length
  number_ptr number{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
  must(number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(to)) != nullptr);
}

/// What authorities and nodes have in common; not signed yet.
certificate_ptr new_certificate(EVP_PKEY* key, const std::string& subject, X509* issuer, int days) {
  certificate_ptr c{X509_new()};
  must(c != nullptr && X509_set_version(c.get(), X509_VERSION_3) == 1);
  set_random_serial(c.get());
  must(X509_gmtime_adj(X509_getm_notBefore(c.get()), backdated) != nullptr);
  must(X509_time_adj_ex(X509_getm_notAfter(c.get()), days, 0, nullptr) != nullptr);
  auto* name = X509_get_subject_name(c.get());
  must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(subject.c_str()),
                                  -1, -1, 0) == 1);
  must(X509_set_issuer_name(c.get(), X509_get_subject_name(issuer ? issuer : c.get())) == 1);
  must(X509_set_pubkey(c.get(), key) == 1);
  return c;
}

authority new_authority() {
  authority a;
  a.key = new_key();
  // Two clusters' authorities must not be taken for one another: the name says which.
  std::array<unsigned char, 4> mark{};
  must(RAND_bytes(mark.data(), static_cast<int>(mark.size())) == 1);
  a.certificate = new_certificate(a.key.get(), "Sluice cluster CA " + hex(mark), nullptr, authority_days);
  auto* c = a.certificate.get();
  add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(c, c, NID_subject_key_identifier, "hash");
  must(X509_sign(c, a.key.get(), EVP_sha256()) > 0);
  return a;
}

certificate_ptr new_node_certificate(const authority& by, EVP_PKEY* key, const std::string& name) {
  auto made = new_certificate(key, name, by.certificate.get(), node_days);
  auto* c = made.get();
  // No certificate outlives the one that signed it.
  const auto* end = X509_get0_notAfter(by.certificate.get());
  if (ASN1_TIME_compare(X509_get0_notAfter(c), end) > 0)
    must(X509_set1_notAfter(c, end) == 1);
  add_extension(c, by.certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(c, by.certificate.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(c, by.certificate.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(c, by.certificate.get(), NID_subject_alt_name, "DNS:" + name);
  add_extension(c, by.certificate.get(), NID_subject_key_identifier, "hash");
  add_extension(c, by.certificate.get(), NID_authority_key_identifier, "keyid:always");
  must(X509_sign(c, by.key.get(), EVP_sha256()) > 0);
  return made;
}

// ---- files ---------------------------------------------------------------------------------------------------------

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  bio_ptr bio{BIO_new(BIO_s_mem())};
  must(bio != nullptr && PEM_write_bio_X509(bio.get(), certificate) == 1);
  return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
  bio_ptr bio{BIO_new(BIO_s_secmem())};
  must(bio != nullptr && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(bio.get());
}

/// Never over an existing file.
void write_new(const fs::path& file, const std::string& text, ::mode_t mode, made_certificates& made) {
  int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0)
    refuse("can not create " + file.string() + ": " + std::strerror(errno));
  made.files.push_back(file);
  bool kept = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  auto why = errno;
  ::close(fd);
  if (kept)
    return;
  ::unlink(file.c_str());
  made.files.pop_back();
  refuse("can not write " + file.string() + ": " + std::strerror(why));
}

std::string read_file(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  if (!in)
    refuse("can not read " + file.string());
  return text.str();
}

authority load_authority(const fs::path& certificate_file, const fs::path& key_file) {
  auto certificate = read_file(certificate_file);
  auto key = read_file(key_file);
  bio_ptr certificate_bio{BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size()))};
  bio_ptr key_bio{BIO_new_mem_buf(key.data(), static_cast<int>(key.size()))};
  authority a;
  a.certificate.reset(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  if (!a.certificate)
    refuse(certificate_file.string() + " holds no certificate");
  auto no_passphrase = [](char*, int, int, void*) { return -1; };
  a.key.reset(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, nullptr));
  if (!a.key)
    refuse(key_file.string() + " holds no key that can be read without a passphrase");
  if (X509_check_private_key(a.certificate.get(), a.key.get()) != 1)
    refuse(key_file.string() + " is not the key of " + certificate_file.string());
  if (X509_check_ca(a.certificate.get()) != 1)
    refuse(certificate_file.string() + " is no authority's certificate");
  if (X509_cmp_current_time(X509_get0_notAfter(a.certificate.get())) <= 0)
    refuse(certificate_file.string() +
           " has expired; make a new authority in another folder, and give every node both for a while");
  return a;
}

/// All that can be wrong with the wish, before anything is written.
void check(const fs::path& folder, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const auto& name : names) {
    if (!is_valid_name(name))
      refuse("'" + name + "' is no node's name: 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
    if (name == "ca")
      refuse("a node can not be called 'ca' here: that is the authority's file");
    if (!seen.insert(name).second)
      refuse("'" + name + "' is named twice");
    for (const char* ending : {".crt", ".key"}) {
      auto file = folder / (name + ending);
      std::error_code ignored;
      if (fs::exists(fs::symlink_status(file, ignored)))
        refuse(file.string() + " exists already; move it away to make a new one");
    }
  }
  bool certificate = fs::exists(folder / "ca.crt");
  bool key = fs::exists(folder / "ca.key");
  if (certificate != key)
    refuse((folder / (certificate ? "ca.key" : "ca.crt")).string() +
           " is missing: an authority is both of ca.crt and ca.key");
}

} // namespace

made_certificates make_cluster_certificates(const fs::path& folder, const std::vector<std::string>& names) {
  check(folder, names);
  std::error_code ec;
  if (fs::create_directories(folder, ec))
    fs::permissions(folder, fs::perms::owner_all, ec);
  if (ec)
    refuse("can not create " + folder.string() + ": " + ec.message());
  made_certificates made;
  made.new_authority = !fs::exists(folder / "ca.crt");
  auto by = made.new_authority ? new_authority() : load_authority(folder / "ca.crt", folder / "ca.key");
  if (made.new_authority) {
    write_new(folder / "ca.key", pem_of(by.key.get()), 0600, made);
    write_new(folder / "ca.crt", pem_of(by.certificate.get()), 0644, made);
  }
  for (const auto& name : names) {
    auto key = new_key();
    auto certificate = new_node_certificate(by, key.get(), name);
    write_new(folder / (name + ".key"), pem_of(key.get()), 0600, made);
    write_new(folder / (name + ".crt"), pem_of(certificate.get()), 0644, made);
  }
  return made;
}

} // namespace sluice::ctl
