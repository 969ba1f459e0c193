// backup: copies of the live cluster, and a new cluster from one of them.
#include "commands.hpp"
#include "fields.hpp"

#include <filesystem>

namespace sluice::ctl {

namespace {

void add_row(table& t, const codec::document& b) {
  t.add({printable(text_in(b, "id")), printable(text_in(b, "createdAt")), figure_in(b, "epoch"),
         std::to_string(list_in(b, "partitions").size()), figure_in(b, "bytes")});
}

} // namespace

void create_backup(const settings& s) {
  admin_api api{s};
  auto made = api.send(verb::post, "/admin/v1/backups", "{}", "copying every partition");
  if (s.json)
    return put_line(made.text);
  auto where = text_in(api.get("/admin/v1/backups").body, "folder");
  put_line("backup   " + printable(text_in(made.body, "id")) + "\nfolder   " + printable(where) + "/" +
           printable(text_in(made.body, "id")) + "\nbytes    " + figure_in(made.body, "bytes"));
  say("sluicectl: it is on the node that was asked; copy the folder to where the node's disk can not take it along");
}

void list_backups(const settings& s) {
  admin_api api{s};
  auto told = api.get("/admin/v1/backups");
  if (s.json)
    return put_line(told.text);
  table t{{"BACKUP", "CREATED", "EPOCH", "PARTITIONS", "BYTES"}};
  for (const auto& b : list_in(told.body, "backups"))
    add_row(t, b);
  t.print();
}

void restore_backup(const settings&, const std::filesystem::path& backup, const std::filesystem::path& data,
                    const std::vector<std::string>& options) {
  if (!std::filesystem::exists(backup / "manifest.json"))
    throw failure{exit_code::refused, backup.string() + " is no backup: there is no manifest.json in it"};
  bool cut_short = std::filesystem::exists(data / "restoring"); // sluiced begins it again
  if (std::filesystem::exists(data) && !std::filesystem::is_empty(data) && !cut_short)
    throw failure{exit_code::refused, data.string() + " is not empty; a backup is restored into a new data folder"};
  say("sluicectl: starting the first node of the restored cluster; the others join it as new ones");
  become_sluiced({"--restore", backup.string(), "--data", data.string()}, options);
}

} // namespace sluice::ctl
