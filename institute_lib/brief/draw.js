(function () {
  "use strict";
  var config = {displaylogo: false, showSendToCloud: false, plotlyServerURL: "", responsive: true, displayModeBar: false};
  var each = function (selector, act) { Array.prototype.forEach.call(document.querySelectorAll(selector), act); };
  each("details.data", function (fold) { fold.open = false; });
  var shared = document.getElementById("common"), common = shared ? JSON.parse(shared.textContent) : [];
  var whole = function (key, value) {
    return value && typeof value.common === "number" ? JSON.parse(JSON.stringify(common[value.common])) : value;
  };
  var narrowed = function (place, layout) {  // on a telephone a map's legend stands under it, names take two lines
    var narrow = layout.meta ? layout.meta.narrow : null;
    if (!narrow || place.clientWidth >= narrow.below) { return null; }
    layout.height = narrow.height;
    layout.margin.b = narrow.bottom;
    place.style.height = narrow.height + "px";
    Object.keys(narrow.legend).forEach(function (key) { layout.legend[key] = narrow.legend[key]; });
    (narrow.bare ? layout.annotations : []).forEach(function (one) { one.visible = Boolean(one.name); });  // no labels
    return narrow.update;
  };
  var sliding = function (place, layout) {  // title, sentence and label go with the slider; arrow keys move it
    var slider = layout.sliders[0], title = place.parentNode.querySelector("figcaption").lastChild;
    var say = function (at) {
      var told = layout.meta.steps[at];
      title.textContent = told.title;
      place.parentNode.querySelector(".finding").textContent = told.alt;
      place.setAttribute("aria-label", told.title);
      place.setAttribute("aria-valuenow", at);
      place.setAttribute("aria-valuetext", told.alt);
    };
    place.setAttribute("role", "slider");
    place.setAttribute("aria-valuemin", 0);
    place.setAttribute("aria-valuemax", slider.steps.length - 1);
    place.tabIndex = 0;
    say(slider.active);
    place.on("plotly_sliderchange", function (event) { say(event.step._index); });
    place.addEventListener("keydown", function (event) {
      var move = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[event.key];
      var at = (place._fullLayout.sliders[0].active || 0) + (move || 0);
      if (!move || !slider.steps[at]) { return; }
      event.preventDefault();
      var args = slider.steps[at].args;
      Plotly.update(place, args[0], Object.assign({"sliders[0].active": at}, args[1]), args[2]);
      say(at);
    });
  };
  each("script.figure", function (holder) {
    var place = document.getElementById(holder.getAttribute("data-plot"));
    var figure = JSON.parse(holder.textContent, whole);
    var update = narrowed(place, figure.layout);
    place.holder = holder;
    Plotly.newPlot(place, figure.data, figure.layout, config);
    if (update) { Plotly.relayout(place, update); }
    if (figure.layout.sliders) { sliding(place, figure.layout); }
  });
  each("details.appendix", function (fold) {  // drawn while open, so that every chart knows its width
    fold.open = false;
    fold.addEventListener("toggle", function () { if (fold.open) { resize(); } });
  });
  var again = function (place) {
    var figure = JSON.parse(place.holder.textContent, whole);
    Plotly.react(place, figure.data, figure.layout, config);
  };
  var paper = false;  // there a chart takes a column, which the style sheet shows at .72
  var resize = function () {
    each(".plot", function (place) {
      if (!place.clientWidth) { return; }
      var kept = place.kept = place.kept || place.clientHeight;
      var wanted = paper ? 455 : null;
      var height = paper && kept > 300 && kept < 380 ? 300 : kept;
      var narrow = place.layout.meta && place.layout.meta.narrow ? place.layout.meta.narrow : {};
      if (narrow.update && (paper || place.narrowed)) {  // as on a telephone; after printing drawn anew
        place.narrowed = paper;
        if (!paper) { place.style.height = kept + "px"; return again(place); }
        height = narrow.height;
        Plotly.relayout(place, narrow.update);
      }
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
