(function () {
  "use strict";
  var boxes = Array.prototype.slice.call(document.querySelectorAll("input[data-area]"));
  document.querySelector(".choose").hidden = false;
  function show() {
    boxes.forEach(function (box) {
      Array.prototype.forEach.call(document.querySelectorAll('[data-of="' + box.dataset.area + '"]'), function (cell) {
        cell.hidden = !box.checked;
      });
    });
  }
  boxes.forEach(function (box) { box.addEventListener("change", show); });
  show();
})();
