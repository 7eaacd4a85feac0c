(function () {
  "use strict";
  var config = {displaylogo: false, showSendToCloud: false, plotlyServerURL: "", responsive: true, displayModeBar: false};
  var each = function (selector, act) { Array.prototype.forEach.call(document.querySelectorAll(selector), act); };
  each("details.data", function (fold) { fold.open = false; });
  var shared = document.getElementById("common"), common = shared ? JSON.parse(shared.textContent) : [];
  var whole = function (key, value) {
    return value && typeof value.common === "number" ? JSON.parse(JSON.stringify(common[value.common])) : value;
  };
  var keptWidth = function (place, layout) {
    var least = layout.meta ? layout.meta.least_width : 0;
    return place.clientWidth < least ? least : null;
  };
  var narrowed = function (place, layout) {  // on a telephone a map's legend stands under it, names take two lines
    var narrow = layout.meta ? layout.meta.narrow : null;
    if (!narrow || place.clientWidth >= narrow.below) { return null; }
    layout.height = narrow.height;
    layout.margin.b = narrow.bottom;
    place.style.height = narrow.height + "px";
    Object.keys(narrow.legend).forEach(function (key) { layout.legend[key] = narrow.legend[key]; });
    return narrow.update;
  };
  each("script.figure", function (holder) {
    var place = document.getElementById(holder.getAttribute("data-plot"));
    var figure = JSON.parse(holder.textContent, whole);
    var kept = keptWidth(place, figure.layout);
    if (kept) { figure.layout.width = kept; }
    var update = narrowed(place, figure.layout);
    Plotly.newPlot(place, figure.data, figure.layout, config);
    if (update) { Plotly.relayout(place, update); }
  });
  each("details.appendix", function (fold) {  // drawn while open, so that every chart knows its width
    fold.open = false;
    fold.addEventListener("toggle", function () { if (fold.open) { resize(); } });
  });
  var paper = false;  // there a chart takes a column, which the style sheet shows at .72
  var resize = function () {
    each(".plot", function (place) {
      if (!place.clientWidth) { return; }
      var kept = place.kept = place.kept || place.clientHeight;
      var wanted = paper ? 455 : keptWidth(place, place.layout);
      var height = paper && kept > 300 && kept < 380 ? 300 : kept;
      place.style.height = height + "px";
      Plotly.relayout(place, {width: wanted, height: height, autosize: !wanted});
    });
  };
  window.addEventListener("beforeprint", function () {
    each("details.methods, details.appendix", function (fold) { fold.open = true; });
    paper = true;
    resize();
  });
  window.addEventListener("afterprint", function () {
    paper = false;
    resize();
  });
})();
