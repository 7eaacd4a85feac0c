/* JupyterLab for the institute: the launcher's cards (each notebook, a new question, the other language), the preview of
 * a brief beside its notebook, and notebooks that are not "modified" because they were opened.
 *
 * Written by hand in the form that JupyterLab loads (a module federation container), so that nothing need be built:
 * `init` receives the modules that JupyterLab shares, `get` gives the plugin.
 */
window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB["institute-notebooks"] = (function () {
  "use strict";
  var FOLDER = "notebooks", PREVIEWS = "papermill_runs/preview", LOCALE = "@jupyterlab/translation-extension:plugin";
  var OPEN = "institute:open-notebook", NEW = "institute:new-question", LANGUAGE = "institute:language";
  var PREVIEW = "institute:preview-brief", shared;

  function load(name) {
    var versions = shared[name];
    return versions[Object.keys(versions)[0]].get().then(function (factory) { return factory(); });
  }

  // "# 03 留任因素 / Retention drivers": the number stays, the half in the reader's language is taken.
  function title(content, path, chinese) {
    var cells = (content && content.cells) || [];
    var first = cells.length ? [].concat(cells[0].source).join("") : "";
    var heading = /^# +(.+)$/m.exec(first);
    if (!heading) { return path.replace(/^.*\//, "").replace(/\.ipynb$/, ""); }
    var halves = heading[1].split(" / "), number = /^\d+ /.exec(heading[1]);
    return chinese || halves.length < 2 ? halves[0] : (number ? number[0] : "") + halves[1];
  }

  // The launcher shows a card of this section by a picture: the notebook's number, or a sign.
  function icon(sign) {
    return "data:image/svg+xml," + encodeURIComponent(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 52 52"><rect width="52" height="52" rx="4" fill="#0f4c81"/>' +
      '<text x="26" y="35" font-family="sans-serif" font-size="24" font-weight="600" fill="#fff" text-anchor="middle">' +
      sign + "</text></svg>");
  }

  // Runs Python of the project in a kernel of its own; what the code prints.
  function ask(kernels, code) {
    return kernels.startNew({name: "institute"}).then(function (kernel) {
      var said = "", failed = "", future = kernel.requestExecute({code: code, store_history: false});
      future.onIOPub = function (message) {
        if (message.header.msg_type === "stream" && message.content.name === "stdout") { said += message.content.text; }
        if (message.header.msg_type === "error") { failed = message.content.evalue; }
      };
      return future.done.then(function () { return kernel.shutdown(); }).then(function () {
        if (failed) { throw new Error(failed); }
        return said.trim();
      });
    });
  }

  function activate(app, launcher, translator, modules) {
    var chinese = /^zh/.test(translator.languageCode), services = app.serviceManager, contents = services.contents;
    var apputils = modules["@jupyterlab/apputils"], Widget = modules["@lumino/widgets"].Widget;
    function words(zh, en) { return chinese ? zh : en; }
    function refuse(error) { return apputils.showErrorMessage(words("没有完成", "Not done"), error); }

    app.commands.addCommand(OPEN, {
      label: function (given) { return given.label; },
      caption: function (given) { return given.path; },
      execute: function (given) { return app.commands.execute("docmanager:open", {path: given.path}); }
    });

    app.commands.addCommand(NEW, {
      label: words("新问题", "New question"),
      caption: words("从模板写一个新笔记本，列入季度计划", "A new notebook from the template, in the quarterly plan"),
      execute: function () {
        return apputils.InputDialog.getText({
          title: words("新问题", "New question"),
          label: words("题目（中文 / English）", "Title (Chinese / English)"),
          placeholder: "收入差距 / Income gap"
        }).then(function (answer) {
          if (!answer.button.accept || !answer.value) { return null; }
          var code = "from institute_lib import runs; print(runs.new_notebook(" + JSON.stringify(answer.value) + ").name)";
          return ask(services.kernels, code).then(function (name) {
            return app.commands.execute("docmanager:open", {path: FOLDER + "/" + name});
          });
        }).catch(refuse);
      }
    });

    app.commands.addCommand(LANGUAGE, {
      label: words("English", "中文"),
      caption: words("Menus and briefs in English", "菜单改为中文"),
      execute: function () {
        var chosen = JSON.stringify({locale: words("en", "zh_CN")});
        return services.settings.save(LOCALE, chosen).then(function () { window.location.reload(); });
      }
    });

    // The brief of what stands in the notebook now, as a file of its own beside it.
    app.commands.addCommand(PREVIEW, {
      label: words("简报预览", "Preview brief"),
      execute: function () {
        var panel = app.shell.currentWidget, path = panel && panel.context && panel.context.path;
        if (!path) { return null; }
        var target = PREVIEWS + "/" + path.replace(/^.*\//, "").replace(/\.ipynb$/, ".html");
        var code = "from institute_lib import brief, paths; target = paths.root() / " + JSON.stringify(target) +
          "; target.parent.mkdir(parents=True, exist_ok=True); brief.export(paths.root() / " + JSON.stringify(path) +
          ", target, language=" + JSON.stringify(words("zh", "en")) + ")";
        return panel.context.save().then(function () { return ask(services.kernels, code); }).then(function () {
          return contents.get(target, {type: "file", format: "text", content: true});
        }).then(function (file) {
          var id = "institute-preview-" + path.replace(/\W/g, "-"), frame = document.createElement("iframe");
          Array.from(app.shell.widgets("main")).forEach(function (one) { if (one.id === id) { one.dispose(); } });
          // Scripts of the brief run in a world of their own, without this page's cookies and token.
          frame.setAttribute("sandbox", "allow-scripts");
          frame.style.cssText = "width:100%;height:100%;border:0;background:#fff";
          frame.title = words("简报预览", "Preview of the brief");
          frame.srcdoc = file.content;
          var widget = new Widget({node: document.createElement("div")});
          widget.id = id;
          widget.title.label = words("简报", "Brief") + " " + path.replace(/^.*\//, "").replace(/\.ipynb$/, "");
          widget.title.closable = true;
          widget.node.appendChild(frame);
          app.shell.add(widget, "main", {mode: "split-right", ref: panel.id});
          return widget;
        }).catch(refuse);
      }
    });

    app.docRegistry.addWidgetExtension("Notebook", {
      createNew: function (panel, context) {
        var button = new apputils.ToolbarButton({
          label: words("简报", "Brief"),
          tooltip: words("简报预览：先运行全部单元格", "Preview the brief; run all cells first"),
          onClick: function () { app.shell.activateById(panel.id); app.commands.execute(PREVIEW); }
        });
        panel.toolbar.insertItem(10, "institute-brief", button);
        // A kernel that starts notes its version in the notebook: no change of the reader's as long as the cells are
        // the same.
        context.ready.then(function () {
          var before = JSON.stringify(context.model.toJSON().cells);
          function settle() {
            if (context.model.isDisposed || !context.model.dirty) { return; }
            if (JSON.stringify(context.model.toJSON().cells) === before) { context.model.dirty = false; }
            else { context.model.stateChanged.disconnect(changed); }
          }
          function changed(_model, change) {
            if (change.name === "dirty" && change.newValue) { window.setTimeout(settle, 0); }
          }
          context.model.stateChanged.connect(changed);
          settle();
        });
        return button;
      }
    });

    function add(command, args, rank, sign) {
      launcher.add({command: command, args: args, rank: rank, kernelIconUrl: icon(sign),
                    category: translator.load("jupyterlab").__("Notebook")});
    }
    return contents.get(FOLDER).then(function (folder) {
      var notebooks = folder.content.filter(function (one) { return one.type === "notebook"; });
      notebooks.sort(function (a, b) { return a.path < b.path ? -1 : 1; });
      return Promise.all(notebooks.map(function (one, rank) {
        return contents.get(one.path).then(function (file) {
          var label = title(file.content, one.path, chinese);
          add(OPEN, {path: one.path, label: label}, rank - 200, (/^\d+/.exec(label) || ["?"])[0]);
        });
      }));
    }).then(function () {
      add(NEW, {}, -100, "+");
      add(LANGUAGE, {}, -99, words("En", "中"));
    });
  }

  return {
    init: function (scope) { shared = scope; },
    get: function () {
      var names = ["@jupyterlab/launcher", "@jupyterlab/translation", "@jupyterlab/apputils", "@lumino/widgets"];
      return Promise.all(names.map(load)).then(function (found) {
        var modules = {};
        names.forEach(function (name, place) { modules[name] = found[place]; });
        var plugin = {
          id: "institute-notebooks:launcher",
          autoStart: true,
          requires: [found[0].ILauncher, found[1].ITranslator],
          activate: function (app, launcher, translator) {
            activate(app, launcher, translator, modules);  // not awaited: the launcher need not wait for it
          }
        };
        return function () { return {__esModule: true, default: plugin}; };
      });
    }
  };
})();
