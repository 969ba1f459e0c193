// The certificates sluicectl makes, judged by OpenSSL as the nodes will.
#include "cluster_certs.hpp"

#include "failure.hpp"
#include "support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include <sys/stat.h>

using namespace sluice;
using namespace sluice::ctl;

namespace {

namespace fs = std::filesystem;

template <class T>
using held = std::unique_ptr<T, void (*)(T*)>;

template <class T, class Read>
T* read_pem(const fs::path& file, Read read) {
  std::FILE* in = std::fopen(file.c_str(), "r");
  REQUIRE(in != nullptr);
  T* made = read(in, nullptr, nullptr, nullptr);
  std::fclose(in);
  REQUIRE(made != nullptr);
  return made;
}

held<X509> certificate_in(const fs::path& file) {
  return {read_pem<X509>(file, PEM_read_X509), X509_free};
}

held<EVP_PKEY> key_in(const fs::path& file) {
  return {read_pem<EVP_PKEY>(file, PEM_read_PrivateKey), EVP_PKEY_free};
}

/// X509_V_OK, or what is wrong with the certificate as one of that authority's for this purpose, `days` from now.
int verdict(const fs::path& authority, const fs::path& certificate, int purpose, int days = 0) {
  auto root = certificate_in(authority);
  auto leaf = certificate_in(certificate);
  held<X509_STORE> store{X509_STORE_new(), X509_STORE_free};
  REQUIRE(X509_STORE_add_cert(store.get(), root.get()) == 1);
  held<X509_STORE_CTX> context{X509_STORE_CTX_new(), X509_STORE_CTX_free};
  REQUIRE(X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr) == 1);
  auto* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_purpose(parameters, purpose);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_time(parameters, std::time(nullptr) + days * 86'400L);
  X509_verify_cert(context.get());
  return X509_STORE_CTX_get_error(context.get());
}

unsigned mode_of(const fs::path& file) {
  struct stat info {};

  REQUIRE(::stat(file.c_str(), &info) == 0);
  return info.st_mode & 0777u;
}

std::string text_of(const fs::path& file) {
  std::ifstream in{file};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string refused(const fs::path& folder, const std::vector<std::string>& names) {
  try {
    make_cluster_certificates(folder, names);
  } catch (const failure& why) {
    CHECK(why.code() == exit_code::refused);
    return why.message();
  }
  FAIL("not refused");
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("cluster certs: each node's certificate is the authority's, for both ends of a connection",
          "[tools][cluster]") {
  test::temp_folder temporary;
  auto folder = temporary.path() / "certs";
  auto made = make_cluster_certificates(folder, {"n1", "rack-2.host"});
  CHECK(made.new_authority);
  CHECK(made.files.size() == 6);
  for (const std::string name : {"n1", "rack-2.host"}) {
    auto file = folder / (name + ".crt");
    CHECK(verdict(folder / "ca.crt", file, X509_PURPOSE_SSL_SERVER) == X509_V_OK);
    CHECK(verdict(folder / "ca.crt", file, X509_PURPOSE_SSL_CLIENT) == X509_V_OK);
    CHECK(verdict(folder / "ca.crt", file, X509_PURPOSE_SSL_SERVER, 824) == X509_V_OK);
    CHECK(verdict(folder / "ca.crt", file, X509_PURPOSE_SSL_SERVER, 826) == X509_V_ERR_CERT_HAS_EXPIRED);
    CHECK(verdict(folder / "ca.crt", file, X509_PURPOSE_SMIME_SIGN) != X509_V_OK);
    auto certificate = certificate_in(file);
    CHECK(X509_check_host(certificate.get(), name.c_str(), name.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) ==
          1);
    CHECK(X509_check_host(certificate.get(), "n3", 2, 0, nullptr) == 0);
    CHECK(X509_check_ca(certificate.get()) == 0);
    char subject[64] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, subject, sizeof(subject));
    CHECK(subject == name);
    CHECK(X509_check_private_key(certificate.get(), key_in(folder / (name + ".key")).get()) == 1);
    CHECK(mode_of(folder / (name + ".key")) == 0600);
  }
  CHECK(mode_of(folder / "ca.key") == 0600);
  CHECK(mode_of(folder) == 0700);
  CHECK(text_of(folder / "n1.key") != text_of(folder / "rack-2.host.key"));
}

TEST_CASE("cluster certs: a later node gets its own from the same authority", "[tools][cluster]") {
  test::temp_folder temporary;
  const auto& folder = temporary.path();
  make_cluster_certificates(folder, {"n1"});
  auto authority = text_of(folder / "ca.crt");
  auto made = make_cluster_certificates(folder, {"n2"});
  CHECK_FALSE(made.new_authority);
  CHECK(made.files == std::vector<fs::path>{folder / "n2.key", folder / "n2.crt"});
  CHECK(text_of(folder / "ca.crt") == authority);
  CHECK(verdict(folder / "ca.crt", folder / "n2.crt", X509_PURPOSE_SSL_SERVER) == X509_V_OK);
  SECTION("and no other authority's is taken for it") {
    test::temp_folder other;
    make_cluster_certificates(other.path(), {"n2"});
    CHECK(verdict(folder / "ca.crt", other.path() / "n2.crt", X509_PURPOSE_SSL_SERVER) != X509_V_OK);
  }
}

TEST_CASE("cluster certs: nothing is overwritten, and nothing half made", "[tools][cluster]") {
  test::temp_folder temporary;
  const auto& folder = temporary.path();
  CHECK(contains(refused(folder, {"n1", "no good"}), "no node's name"));
  CHECK(contains(refused(folder, {"ca"}), "authority's file"));
  CHECK(contains(refused(folder, {"n1", "n1"}), "twice"));
  CHECK(fs::is_empty(folder));
  make_cluster_certificates(folder, {"n1"});
  auto key = text_of(folder / "n1.key");
  CHECK(contains(refused(folder, {"n2", "n1"}), "exists already"));
  CHECK(text_of(folder / "n1.key") == key);
  CHECK_FALSE(fs::exists(folder / "n2.crt"));
  SECTION("an authority's key that is kept elsewhere") {
    fs::remove(folder / "ca.key");
    CHECK(contains(refused(folder, {"n2"}), "ca.key is missing"));
  }
  SECTION("or belongs to another") {
    test::temp_folder other;
    make_cluster_certificates(other.path(), {"n1"});
    fs::copy_file(other.path() / "ca.key", folder / "ca.key", fs::copy_options::overwrite_existing);
    CHECK(contains(refused(folder, {"n2"}), "is not the key of"));
  }
  SECTION("or is damaged") {
    std::ofstream{folder / "ca.key"} << "nonsense";
    CHECK(contains(refused(folder, {"n2"}), "holds no key"));
  }
  SECTION("or is none") {
    fs::copy_file(folder / "n1.crt", folder / "ca.crt", fs::copy_options::overwrite_existing);
    fs::copy_file(folder / "n1.key", folder / "ca.key", fs::copy_options::overwrite_existing);
    CHECK(contains(refused(folder, {"n2"}), "no authority's certificate"));
  }
  CHECK_FALSE(fs::exists(folder / "n2.key"));
}
