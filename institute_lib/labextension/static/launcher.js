/* Cards on JupyterLab's launcher: one for each notebook of the working folder, named by its own first heading.
 *
 * Written by hand in the form that JupyterLab loads (a module federation container), so that nothing need be built:
 * `init` receives the modules that JupyterLab shares, `get` gives the plugin.
 */
window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB["institute-notebooks"] = (function () {
  "use strict";
  var COMMAND = "institute:open-notebook", shared;

  function load(name) {
    var versions = shared[name];
    return versions[Object.keys(versions)[0]].get().then(function (factory) { return factory(); });
  }

  // "# 03 留任因素 / Retention drivers": the number stays, the half in the reader's language is taken.
  function title(content, path, chinese) {
    var cells = (content && content.cells) || [];
    var first = cells.length ? [].concat(cells[0].source).join("") : "";
    var heading = /^# +(.+)$/m.exec(first);
    if (!heading) { return path.replace(/\.ipynb$/, ""); }
    var halves = heading[1].split(" / "), number = /^\d+ /.exec(heading[1]);
    return chinese || halves.length < 2 ? halves[0] : (number ? number[0] : "") + halves[1];
  }

  // The launcher shows a card of this section by a picture: the notebook's number.
  function icon(label) {
    var number = (/^\d+/.exec(label) || ["?"])[0];
    return "data:image/svg+xml," + encodeURIComponent(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 52 52"><rect width="52" height="52" rx="4" fill="#0f4c81"/>' +
      '<text x="26" y="35" font-family="sans-serif" font-size="24" font-weight="600" fill="#fff" text-anchor="middle">' +
      number + "</text></svg>");
  }

  function activate(app, launcher, translator) {
    var chinese = /^zh/.test(translator.languageCode), contents = app.serviceManager.contents;
    app.commands.addCommand(COMMAND, {
      label: function (given) { return given.label; },
      caption: function (given) { return given.path; },
      execute: function (given) { return app.commands.execute("docmanager:open", {path: given.path}); }
    });
    return contents.get("").then(function (folder) {
      var notebooks = folder.content.filter(function (one) { return one.type === "notebook"; });
      notebooks.sort(function (a, b) { return a.path < b.path ? -1 : 1; });
      return Promise.all(notebooks.map(function (one, rank) {
        return contents.get(one.path).then(function (file) {
          var label = title(file.content, one.path, chinese);
          launcher.add({command: COMMAND, args: {path: one.path, label: label}, rank: rank - 100,
                        category: translator.load("jupyterlab").__("Notebook"), kernelIconUrl: icon(label)});
        });
      }));
    });
  }

  return {
    init: function (scope) { shared = scope; },
    get: function () {
      var names = ["@jupyterlab/launcher", "@jupyterlab/translation"];
      return Promise.all(names.map(load)).then(function (found) {
        var plugin = {
          id: "institute-notebooks:launcher",
          autoStart: true,
          requires: [found[0].ILauncher, found[1].ITranslator],
          activate: function (app, launcher, translator) {
            activate(app, launcher, translator);  // not awaited: the launcher need not wait for it
          }
        };
        return function () { return {__esModule: true, default: plugin}; };
      });
    }
  };
})();
